"""From several temperatures to an activation energy and 300 K: lines, curvature, replicas, plans."""
