# Shared by the scripts beside it, which source it; on its own it does nothing.

# Where cargo puts what it builds; the virtual environment of the wire tests lies there too.
target_dir=${CARGO_TARGET_DIR:-$PWD/target}
venv_dir=$target_dir/wire-venv
# The packages from npm.
node_dir=$target_dir/wire-node
wire_dir=crates/server/tests/wire
# What the browser journeys take from npm.
e2e_node_dir=$target_dir/e2e-node

say() { printf '%s\n' "$*" >&2; }

die() {
  say "error: $*"
  exit 1
}

# Debian keeps PostgreSQL's server programs out of PATH: print the folder of the newest, or nothing.
postgres_bin() {
  local found
  found=$(command -v initdb 2>/dev/null) && { dirname "$(readlink -f "$found")"; return; }
  for found in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
    [ -x "$found/initdb" ] && { printf '%s\n' "$found"; return; }
  done
  return 0
}
