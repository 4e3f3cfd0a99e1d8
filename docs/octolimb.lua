-- Octolimb in Neovim 0.11 and newer: put this into your init.lua.
vim.lsp.config("octolimb", {
  cmd = { "octolimb", "serve" },
  filetypes = { "python" },
  root_markers = { "pyproject.toml", "setup.py", "setup.cfg", ".git" },
  -- Only where you trust the repository: its own tests may run then, in the shadow, and limbs may repair them.
  init_options = { trusted = true },
})
vim.lsp.enable("octolimb")
