wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local item = '{"name":"' .. string.rep("x", 40) .. '","quantity":3,"price":12.5,"tags":["a","b"]}'
wrk.body = '{"items":[' .. string.rep(item .. ",", 9) .. item .. "]}"
