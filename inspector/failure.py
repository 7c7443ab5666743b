"""What ended a run, under the code and in the sentence that stay until a person has seen them."""

from engine.types import DatabaseError, InferenceError, KnownError
from inspector.pipeline.latched import ErrorCode


def error_code(error: BaseException) -> ErrorCode:
    """Under which code a run's end is latched; the narrower kind of error first."""
    kinds: dict[type[BaseException], ErrorCode] = {
        DatabaseError: ErrorCode.DATABASE_REFUSED,
        InferenceError: ErrorCode.INFERENCE_FAILED,
        KnownError: ErrorCode.NOT_OPENED,
    }
    found = (code for kind, code in kinds.items() if isinstance(error, kind))
    return next(found, ErrorCode.INTERNAL)


def sentence_of(error: BaseException) -> str:
    return str(error) if isinstance(error, KnownError) else f"{type(error).__name__}: {error}"
