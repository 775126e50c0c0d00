"""What the editor's and the study's servers share: listening, headers, and whom they answer."""
