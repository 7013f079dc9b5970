"""Shows how sensitive the training of small neural networks is to where it starts."""
