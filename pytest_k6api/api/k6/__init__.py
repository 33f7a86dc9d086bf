"""The endpoints that k6 v1 has, and the bodies that they take."""
