"""Models made from scratch, their tokenizer, and loading of pretrained ones."""
