"""What the demo, the end-to-end suites, the compatibility suite and the benchmark have in common."""
