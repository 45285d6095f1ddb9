# Says what to do when pip could not install requirements/$1.txt. $2: the environment's python.
{
  echo
  echo "make: requirements/$1.txt could not be installed as pinned; pip says why above."
  echo "  \"DO NOT MATCH THE HASHES\": a file is not the one that was resolved. Do not install it;"
  echo "    SECURITY.md says where to report it."
  echo "  \"No matching distribution\": no wheel for $("$2" --version 2>&1) on $(uname -sm), or not on"
  echo "    your index. The pins are tried on Python 3.10 to 3.13, Linux x86_64. \`make PINNED=no ...\`"
  echo "    takes what the index has, without pins and hashes."
  echo "  Anything else: the network or the disk; try again."
} >&2
