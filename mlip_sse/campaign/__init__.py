"""Close the loop: explore, select, label, fit, decide, until the answer stands."""
