"""A stroke font of capitals, digits and signs, as engravers and label printers use.

Our own, since the letters of ``cv2.putText`` changed between OpenCV 4 and 5, and a model trained
on one would then see misprints everywhere on the other.
"""

import numpy as np

from inspector.camera.parts.surface import Points

ADVANCE = 5.6  # from one letter to the next, on the 4 × 6 raster the strokes are noted on

# Each stroke is a run of points "xy", x 0–4 to the right, y 0–6 downwards.
GLYPHS = {
    "A": "06 20 46|14 34",
    "B": "00 06 36 45 44 33 03|33 42 41 30 00",
    "C": "41 30 10 01 05 16 36 45",
    "D": "00 06 26 44 42 20 00",
    "E": "40 00 06 46|03 33",
    "F": "40 00 06|03 33",
    "G": "41 30 10 01 05 16 36 45 43 23",
    "H": "00 06|40 46|03 43",
    "I": "20 26",
    "J": "40 45 36 16 05",
    "K": "00 06|40 03 46",
    "L": "00 06 46",
    "M": "06 00 23 40 46",
    "N": "06 00 46 40",
    "O": "10 01 05 16 36 45 41 30 10",
    "P": "06 00 30 41 42 33 03",
    "Q": "10 01 05 16 36 45 41 30 10|34 46",
    "R": "06 00 30 41 42 33 03|23 46",
    "S": "41 30 10 01 02 13 33 44 45 36 16 05",
    "T": "00 40|20 26",
    "U": "00 05 16 36 45 40",
    "V": "00 26 40",
    "W": "00 16 22 36 40",
    "X": "00 46|40 06",
    "Y": "00 23 40|23 26",
    "Z": "00 40 06 46",
    "0": "10 01 05 16 36 45 41 30 10",
    "1": "11 20 26",
    "2": "01 10 30 41 42 06 46",
    "3": "01 10 30 41 42 33 44 45 36 16 05|13 33",
    "4": "30 04 44|32 36",
    "5": "40 00 03 33 44 45 36 06",
    "6": "40 20 02 05 16 36 45 44 33 03",
    "7": "00 40 16",
    "8": "13 02 01 10 30 41 42 33 13 04 05 16 36 45 44 33",
    "9": "43 13 02 01 10 30 41 44 26 06",
    "-": "03 43",
    "+": "03 43|21 25",
    ".": "26 26",
    ":": "22 22|25 25",
    "/": "06 40",
    " ": "",
}


def strokes(words: str) -> list[Points]:
    """The strokes of ``words``, points ``(N, 2)``, centred, one unit being a capital's height."""
    middle = np.array([(len(words) - 1) * ADVANCE / 2 + 2, 3.0])
    return [
        (_points(stroke) + np.array([place * ADVANCE, 0]) - middle) / 6
        for place, letter in enumerate(words)
        for stroke in filter(None, GLYPHS[letter].split("|"))
    ]


def _points(stroke: str) -> Points:
    return np.array([[int(point[0]), int(point[1])] for point in stroke.split()], np.float64)
