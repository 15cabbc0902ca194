"""A stage on disk: what identifies it, who may write it, when it is finished."""
