"""The ``luthier`` command. Everything that costs time to load is imported where it is used."""
