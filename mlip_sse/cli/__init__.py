"""The command line: one module a verb; parse, call one public function, print."""
