"""Systems on the Hugging Face hub: a folder of safetensors, JSON and a card, up and down."""
