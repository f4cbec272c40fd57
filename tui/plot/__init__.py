"""Curves in braille: buckets keep every spike, axes stay put, cells change only when they must."""
