-- Drives a Neovim through one session, headless: `nvim --headless --clean -l neovim.lua CONFIG FOLDER`.
-- Prints what it saw as one JSON object.
local config, folder = arg[1], arg[2]
local told = { messages = {}, choices = {} }

vim.lsp.handlers["window/showMessage"] = function(_, params)
  table.insert(told.messages, params.message)
end

-- The person: takes the first choice of a list that is called Accept, or the first action that sends a limb.
vim.ui.select = function(items, options, choose)
  local wanted
  for _, item in ipairs(items) do
    local title = item.title or (item.action and item.action.title) or ""
    table.insert(told.choices, title)
    if not wanted and (title == "Accept" or title:find("limb")) then
      wanted = item
    end
  end
  choose(wanted)
end

local function wait(what, is_true)
  if not vim.wait(60000, is_true, 20) then
    told.failed = what
    told.log = vim.fn.readfile(vim.lsp.get_log_path())
    io.stdout:write(vim.json.encode(told))
    vim.cmd("qall!")
  end
end

local function messages_of(buffer)
  return vim.tbl_map(function(item) return item.message end, vim.diagnostic.get(buffer))
end

local function has(buffer, part)
  return table.concat(messages_of(buffer), "\n"):find(part, 1, true) ~= nil
end

vim.cmd("filetype on")
dofile(config)
vim.cmd.edit(folder .. "/greeting.py")
local greeting = vim.api.nvim_get_current_buf()
vim.cmd.edit(folder .. "/users.py")
local users = vim.api.nvim_get_current_buf()
wait("the server to start", function() return #vim.lsp.get_clients({ bufnr = users, name = "octolimb" }) == 1 end)

-- An unsaved change hurts the file that depends on it.
vim.api.nvim_buf_set_lines(users, 0, -1, true, { "def age_of(name: str) -> str:", "    return name" })
wait("the pain of the dependent", function() return has(greeting, "caused by users.py") end)
told.pain = messages_of(greeting)

-- ruff's fix, as an edit at once.
vim.api.nvim_buf_set_lines(users, 0, 0, true, { "import os" })
wait("the lint of an unused import", function() return has(users, "imported but unused") end)
vim.api.nvim_win_set_cursor(0, { 1, 8 })
vim.lsp.buf.code_action({ filter = function(action) return action.title:find("unused import") ~= nil end, apply = true })
wait("the import to go", function() return vim.api.nvim_buf_get_lines(users, 0, 1, true)[1]:find("def") ~= nil end)

-- A limb repairs an undefined name; the person accepts what it proposes.
vim.api.nvim_buf_set_lines(users, 0, -1, true, { "def age_of(name: str) -> int:", "    return len(nam) * 10" })
wait("the undefined name", function() return has(users, "nam") end)
told.before = vim.api.nvim_buf_get_lines(users, 0, -1, true)
-- A person's next step begins here.
vim.bo[users].undolevels = vim.bo[users].undolevels
vim.api.nvim_win_set_cursor(0, { 2, 16 })
vim.lsp.buf.code_action({ filter = function(action) return action.title:find("limb") ~= nil end })
wait("the limb's proposal in the buffer", function()
  return vim.deep_equal(vim.api.nvim_buf_get_lines(users, 1, 2, true), { "    return len(name) * 10" })
end)
wait("the pain to go", function() return #messages_of(users) == 0 and not has(greeting, "caused by") end)
told.after = vim.api.nvim_buf_get_lines(users, 0, -1, true)
told.modified = vim.bo[users].modified
vim.cmd("silent undo")
told.undone = vim.api.nvim_buf_get_lines(users, 0, -1, true)

-- What happens on the disk is seen without a word from the editor.
vim.fn.writefile({ "from users import gone", "", "print(gone)" }, folder .. "/other.py")
vim.cmd.edit(folder .. "/third.py")
local third = vim.api.nvim_get_current_buf()
vim.api.nvim_buf_set_lines(third, 0, -1, true, { "from fourth import NUMBER", "", "print(NUMBER)" })
wait("a module that is missing", function() return has(third, "fourth") end)
vim.fn.writefile({ "NUMBER = 4" }, folder .. "/fourth.py")
wait("a module that was made outside", function() return not has(third, "fourth") end)

io.stdout:write(vim.json.encode(told))
vim.cmd("qall!")
