"""What our discoveries are compared with, within the same budget."""
