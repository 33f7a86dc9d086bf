"""What workers measure: collected there second by second, packed, merged by the controller."""
