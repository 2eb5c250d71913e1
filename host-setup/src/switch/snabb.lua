-- A learning bridge between vhost-user ports, one for each socket that is named.
local config = require("core.config")
local engine = require("core.app")
local timer = require("core.timer")
local packet = require("core.packet")
local learning = require("apps.bridge.learning")
local vhost = require("apps.vhost.vhost_user")
local device = require("lib.virtio.net_device").VirtioNetDevice

-- What it says is read while it runs.
io.stdout:setvbuf("line")

-- The drivers of DPDK insist on virtio 1, which is feature 32.
local make = device.new
function device.new(...)
   local made = make(...)
   made.supported_features = made.supported_features + 2^32
   return made
end

local graph, names = config.new(), {}
for place, socket in ipairs(main.parameters) do
   names[place] = "p" .. (place - 1)
   config.app(graph, names[place], vhost.VhostUser, { socket_path = socket, is_server = false })
end
config.app(graph, "bridge", learning.bridge, { ports = names })
for _, name in ipairs(names) do
   config.link(graph, name .. ".tx -> bridge." .. name)
   config.link(graph, "bridge." .. name .. " -> " .. name .. ".rx")
end

engine.busywait = true
engine.configure(graph)

-- Snabb looks for requests of the other end twice a second, and for as long a port that is being joined passes nothing:
-- here it looks a hundred times a second.
for _, name in ipairs(names) do
   local port, told = engine.app_table[name], false
   port.process_qemu_timer = timer.new(name, function ()
      port:process_qemu_requests()
      if not told and port.vhost_ready and port.dev:ready() then
         told = true
         print(name .. " forwards")
      end
   end, 1e7, "non-repeating")
end

-- Snabb makes packets when it has none left, and stands still for as long, which is tens of milliseconds: here there are
-- as many as a port's ring holds before the first comes.
local made = {}
for number = 1, 1024 * #names do
   made[number] = packet.allocate()
end
for _, one in ipairs(made) do
   packet.free(one)
end

engine.main({ no_report = true })
