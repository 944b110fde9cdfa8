# shellcheck shell=bash
# What every script here stands on: where things live, who runs the servers, how to say what happens.
#
# Three places:
#   .local/      in the clone: the env file, builds, logs of the tests, the clients that the tests install
#   $STATE       private copies of Postgres, clusters, sockets. The same .local/ where the servers' user may go there,
#                else (root, in a clone under a closed home directory) a directory of its own under /var/lib
#   $CACHE       what was downloaded, shared by all clones, checked again at every use

set -euo pipefail
shopt -s inherit_errexit
umask 022
# With it, pgrx adds a backtrace to the DETAIL of every error of Postgres.
unset RUST_BACKTRACE

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
LOCAL=$REPO/.local
mkdir -p "$LOCAL"
PATH=$PATH:${HOME:=/}/.cargo/bin:/usr/sbin:/sbin

say() { printf '%s\n' "$*"; }

die() {
  printf 'error: %s\n' "$1" >&2
  shift
  for line in "$@"; do printf '       %s\n' "$line" >&2; done
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

is_root() { [ "$(id -u)" -eq 0 ]; }

# Postgres refuses to run as root. Debian's package brings the user `postgres`; `nobody` is there before it.
server_user() {
  if ! is_root; then id -un; elif id postgres >/dev/null 2>&1; then echo postgres; else echo nobody; fi
}

# Runs a command as the user of the servers, from a directory and with a home that it can enter.
as_server() {
  if is_root; then
    local user
    user=$(server_user)
    (cd / && exec setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups env HOME=/ "$@")
  else
    (cd / && exec "$@")
  fi
}

# Runs a command with the rights of the administrator: to install packages, or into a Postgres of the system.
as_admin() {
  if is_root; then
    "$@"
  elif have sudo && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    sudo "$@"
  else
    die "this needs the rights of the administrator, and sudo is not available without asking:" "$*"
  fi
}

# Makes a directory that belongs to the user of the servers and is closed to everybody else.
make_server_dir() {
  mkdir -p "$1"
  chmod 700 "$1"
  if is_root; then chown "$(server_user)": "$1"; fi
}

# The directory of the servers; decided once per clone.
find_state() {
  if as_server test -r "$LOCAL" -a -x "$LOCAL"; then
    echo "$LOCAL"
  else
    echo "/var/lib/memory_profile/$(printf %s "$REPO" | sha256sum | cut -c1-12)"
  fi
}

find_cache() {
  if is_root; then echo /var/cache/memory_profile; else echo "${XDG_CACHE_HOME:-$HOME/.cache}/memory_profile"; fi
}

STATE=$(find_state)
CACHE=$(find_cache)
mkdir -p "$STATE" "$CACHE"

# Waits until a command succeeds: wait_for SECONDS COMMAND…; a busy machine is given four times as long as was thought enough.
wait_for() {
  local tries=$(($1 * 40))
  shift
  until "$@"; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    sleep 0.1
  done
}

# True while the process of a pid file runs the program that the file was written for.
is_running() {
  local pid_file=$1 program=$2 pid
  [ -s "$pid_file" ] || return 1
  read -r pid <"$pid_file"
  [[ $(ps -o args= -p "$pid" 2>/dev/null) == *"$program"* ]]
}

is_stopped() { ! is_running "$@"; }

# Ends the process of a pid file: politely, and after ten seconds at once.
stop_process() {
  local pid_file=$1 program=$2
  if is_running "$pid_file" "$program"; then
    kill "$(<"$pid_file")"
    wait_for 10 is_stopped "$pid_file" "$program" || kill -KILL "$(<"$pid_file")"
  fi
  rm -f "$pid_file"
}
