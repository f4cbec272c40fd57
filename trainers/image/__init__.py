"""Tasks on pictures: classes, numbers, and things found on them."""
