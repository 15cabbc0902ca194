"""The families of problems: a module each, which any other module need not know (see `registry`)."""
