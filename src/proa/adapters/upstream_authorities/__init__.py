"""Who signs the CA that signs the mesh's leafs, when it is not us: one folder per outside authority."""
