"""What was learned by trial and error, or from a teacher."""
