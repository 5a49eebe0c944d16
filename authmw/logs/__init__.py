"""What is logged about a decision on a request, and how often."""
