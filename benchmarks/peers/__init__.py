"""The peers: how a good engineer would do it without our ideas. They pass the tests of tests/benchmarks."""
