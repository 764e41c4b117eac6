"""The growth benchmark: whole lives a second with ten thousand past applications, and with two million."""
