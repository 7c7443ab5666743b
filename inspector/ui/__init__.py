"""The line-side window: the only room that knows Qt."""
