"""The Merkle index of a log: a canonical radix trie over its keys, as pure functions."""
