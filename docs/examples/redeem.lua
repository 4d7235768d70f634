-- For wrk: redeems the tokens of tokens.txt (one a line) in turn.
local tokens = {}
for line in io.lines("tokens.txt") do tokens[#tokens + 1] = line end
local headers = { ["X-Copresence-REST-API-Key"] = os.getenv("API_KEY") }
local at = 0
request = function()
  at = at % #tokens + 1
  headers["X-Copresence-Export-Token"] = tokens[at]
  return wrk.format("GET", "/redeemExportToken", headers)
end
