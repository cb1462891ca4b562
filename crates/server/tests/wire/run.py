"""Runs the wire tests and closes with one line of counts. Arguments name modules, classes or tests; none means all."""

import sys
import unittest
from pathlib import Path

HERE = Path(__file__).parent


def main(names):
    sys.path.insert(0, str(HERE))
    loader = unittest.TestLoader()
    suite = loader.loadTestsFromNames(names) if names else loader.discover(str(HERE))
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    # One test may fail in several parts, and a class that cannot be set up or ended counts without having run a test.
    broken = {str(getattr(test, "test_case", test)) for test, _ in result.failures + result.errors}
    tests = {name for name in broken if not name.startswith(("setUp", "tearDown"))}
    passed = result.testsRun - len(tests)
    print(f"Wire tests: {result.testsRun} run: {passed} passed, {len(broken)} failed", file=sys.stderr)
    return 0 if result.wasSuccessful() and passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
