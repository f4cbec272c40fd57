"""One module for each change of the schema, named ``m<number>_<what>``, never changed again."""
