"""Style banks of checkpoints: collected features, fitting, previews and contact sheets."""
