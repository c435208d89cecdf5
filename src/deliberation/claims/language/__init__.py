"""Claims about models of language; one file each, like those in `learned`."""
