// Verifies a log that was written as static tiles, with nothing but Go's packages of the checksum database: the signature
// of its checkpoint, each entry against the tiles, that an earlier checkpoint is its beginning, and a receipt.
//
//	tlog FOLDER VERIFIER-KEY EARLIER-CHECKPOINT RECEIPT
package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: tlog FOLDER VERIFIER-KEY EARLIER-CHECKPOINT RECEIPT")
		os.Exit(2)
	}
	if err := verify(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
}

func verify(folder, key, earlier, receipt string) error {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return err
	}
	keys := note.VerifierList(verifier)
	octets, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return err
	}
	tree, err := checkpoint(string(octets), keys)
	if err != nil {
		return err
	}
	hashes := tlog.TileHashReader(tree, tiles(folder))
	if err := entries(folder, tree, hashes); err != nil {
		return err
	}
	if octets, err = os.ReadFile(earlier); err != nil {
		return err
	}
	before, err := checkpoint(string(octets), keys)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveTree(tree.N, before.N, hashes)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, before.N, before.Hash); err != nil {
		return err
	}
	if octets, err = os.ReadFile(receipt); err != nil {
		return err
	}
	index, err := record(string(octets), keys)
	if err != nil {
		return err
	}
	fmt.Printf("verified: %d entries, from %d on, record %d\n", tree.N, before.N, index)
	return nil
}

// checkpoint opens a signed note that says the size and root of a tree.
func checkpoint(text string, keys note.Verifiers) (tlog.Tree, error) {
	var tree tlog.Tree
	opened, err := note.Open([]byte(text), keys)
	if err != nil {
		return tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 {
		return tree, errors.New("not a checkpoint")
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

// entries holds each entry of the bundles against the hash that the tiles have for it, and all of them against the root:
// the tiles alone would not do, since TileHashReader (x/mod 0.7.0) leaves some of those that it reads unauthenticated.
func entries(folder string, tree tlog.Tree, hashes tlog.HashReader) error {
	var stored []tlog.Hash
	storage := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		read := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			read[i] = stored[index]
		}
		return read, nil
	})
	for start := int64(0); start < tree.N; start += 256 {
		width := tree.N - start
		if width > 256 {
			width = 256
		}
		path := strings.Replace(tlog.Tile{H: 8, L: 0, N: start / 256, W: int(width)}.Path(), "tile/8/0/", "tile/entries/", 1)
		bundle, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			return err
		}
		indexes := make([]int64, width)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, start+int64(i))
		}
		expected, err := hashes.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for i := range expected {
			if len(bundle) < 2 || len(bundle)-2 < int(binary.BigEndian.Uint16(bundle)) {
				return fmt.Errorf("%s ends within an entry", path)
			}
			length := 2 + int(binary.BigEndian.Uint16(bundle))
			hash := tlog.RecordHash(bundle[2:length])
			if hash != expected[i] {
				return fmt.Errorf("entry %d differs", start+int64(i))
			}
			completed, err := tlog.StoredHashesForRecordHash(start+int64(i), hash, storage)
			if err != nil {
				return err
			}
			stored = append(stored, completed...)
			bundle = bundle[length:]
		}
		if len(bundle) > 0 {
			return fmt.Errorf("%s goes on", path)
		}
	}
	root, err := tlog.TreeHash(tree.N, storage)
	if err == nil && root != tree.Hash {
		err = errors.New("the entries do not lead to the root")
	}
	return err
}

// record checks a receipt, C2SP tlog-proof.
func record(text string, keys note.Verifiers) (int64, error) {
	head, signed, found := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return 0, errors.New("not a receipt")
	}
	tree, err := checkpoint(signed, keys)
	if err != nil {
		return 0, err
	}
	leaf, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return 0, err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return 0, err
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return 0, err
		}
		proof = append(proof, hash)
	}
	return index, tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(leaf))
}

// tiles reads tiles from a folder. The paths of the checksum database name the height, 8, which C2SP tlog-tiles leaves out.
type tiles string

func (folder tiles) Height() int { return 8 }

func (folder tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	read := make([][]byte, len(wanted))
	for i, tile := range wanted {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		octets, err := os.ReadFile(filepath.Join(string(folder), path))
		if err != nil {
			return nil, err
		}
		if len(octets) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", path, len(octets))
		}
		read[i] = octets
	}
	return read, nil
}

func (folder tiles) SaveTiles([]tlog.Tile, [][]byte) {}
