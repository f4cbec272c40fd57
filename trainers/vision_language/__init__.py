"""Tasks on pictures with words: what is said about them, and questions answered from them."""
