"""``python -m benchmarks.capacity``: compute the page anew from the results that are kept."""

from benchmarks.capacity import document

if __name__ == "__main__":
    document.write()
