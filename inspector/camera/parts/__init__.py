"""Parts that do not exist, pictured as a real camera would: the sample of the simulated line."""
