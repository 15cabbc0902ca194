"""One file per benchmark family, and the registry that names them."""
