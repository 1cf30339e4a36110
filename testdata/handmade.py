#!/usr/bin/env python3
"""Assembles the fixtures that no server at hand writes.

    testdata/handmade.py             writes handmade/*.rdb, handmade/*.bin and corrupt/*.rdb
    testdata/handmade.py --servers   also offers each file to the installed servers and
                                     prints what they say

handmade/ holds sound files: old object types and headers, formats of releases without a
binary here, records of other makers. corrupt/ holds one defect each, over a file that is
otherwise sound: `<what>_<defect>.rdb`. Output is the same on every run.
"""

import argparse
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TTL = 1900000000000
OUT = {}  # path below testdata -> bytes


# --- Primitives ------------------------------------------------------------------

def _table():
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x95AC9329AC4BC9B5 if crc & 1 else 0)
        table.append(crc)
    return table


CRC_TABLE = _table()


def crc64(data, crc=0):
    """CRC-64 "Jones", reflected, as the servers compute it."""
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc


assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA


def length(n):
    if n < 64:
        return bytes([n])
    if n < 16384:
        return bytes([64 | n >> 8, n & 255])
    if n < 1 << 32:
        return b"\x80" + n.to_bytes(4, "big")
    return b"\x81" + n.to_bytes(8, "big")


def string(text):
    data = text.encode() if isinstance(text, str) else text
    return length(len(data)) + data


def int_string(n):
    """The integer form: int8, int16 or int32."""
    for code, size in ((0xC0, 1), (0xC1, 2), (0xC2, 4)):
        if -(1 << 8 * size - 1) <= n < 1 << 8 * size - 1:
            return bytes([code]) + n.to_bytes(size, "little", signed=True)
    raise ValueError(n)


def lzf_string(packed, unpacked_len):
    return b"\xc3" + length(len(packed)) + length(unpacked_len) + packed


def double(value):
    return struct.pack("<d", value)


def ms64(ms):
    return struct.pack("<q", ms)


def raw_id(ms, seq):
    return ms.to_bytes(8, "big") + seq.to_bytes(8, "big")


# --- Blobs -----------------------------------------------------------------------

def lp_backlen(size, quirk=True):
    """Before 8.8 the servers take one byte more than needed at each limit."""
    limits = [127, 16383, 2097151, 268435455]
    count = 1 + (size > limits[0]) + sum(size >= limit if quirk else size > limit for limit in limits[1:])
    groups = [size >> 7 * shift & 127 for shift in range(count)]  # least significant first
    return bytes([groups[-1]] + [group | 128 for group in reversed(groups[:-1])])


def lp_entry(value, backlen=None):
    if isinstance(value, int):
        if 0 <= value <= 127:
            data = bytes([value])
        elif -4096 <= value <= 4095:
            data = (0xC000 | value & 0x1FFF).to_bytes(2, "big")
        else:
            for lead, size in ((0xF1, 2), (0xF2, 3), (0xF3, 4), (0xF4, 8)):
                if -(1 << 8 * size - 1) <= value < 1 << 8 * size - 1:
                    data = bytes([lead]) + value.to_bytes(size, "little", signed=True)
                    break
    else:
        body = value.encode() if isinstance(value, str) else value
        if len(body) < 64:
            data = bytes([0x80 | len(body)]) + body
        elif len(body) < 4096:
            data = (0xE000 | len(body)).to_bytes(2, "big") + body
        else:
            data = b"\xf0" + struct.pack("<I", len(body)) + body
    return data + (lp_backlen(len(data)) if backlen is None else backlen)


def listpack(values, count=None, total=None, end=b"\xff", entries=None):
    body = b"".join(map(lp_entry, values)) if entries is None else entries
    size = 6 + len(body) + len(end)
    return struct.pack("<IH", size if total is None else total, len(values) if count is None else count) + body + end


def zl_entry(value, previous):
    prevlen = bytes([previous]) if previous < 254 else b"\xfe" + struct.pack("<I", previous)
    if isinstance(value, int):
        if 0 <= value <= 12:
            return prevlen + bytes([0xF1 + value])
        for lead, size in ((0xFE, 1), (0xC0, 2), (0xF0, 3), (0xD0, 4), (0xE0, 8)):
            if -(1 << 8 * size - 1) <= value < 1 << 8 * size - 1:
                return prevlen + bytes([lead]) + value.to_bytes(size, "little", signed=True)
    body = value.encode() if isinstance(value, str) else value
    if len(body) < 64:
        return prevlen + bytes([len(body)]) + body
    if len(body) < 16384:
        return prevlen + (0x4000 | len(body)).to_bytes(2, "big") + body
    return prevlen + b"\x80" + len(body).to_bytes(4, "big") + body


def ziplist(values, tail=None, count=None, total=None, end=b"\xff", patch=None):
    body, previous, last = b"", 0, 10
    for value in values:
        entry = zl_entry(value, previous)
        last = 10 + len(body)
        body += entry
        previous = len(entry)
    if patch:
        body = patch(body)
    size = 10 + len(body) + len(end)
    return struct.pack("<IIH", size if total is None else total, last if tail is None else tail,
                       len(values) if count is None else count) + body + end


def intset(values, width=None, count=None):
    if width is None:
        width = next(w for w in (2, 4, 8) if all(-(1 << 8 * w - 1) <= v < 1 << 8 * w - 1 for v in values))
    real = width if width in (2, 4, 8) else 2
    return struct.pack("<II", width, len(values) if count is None else count) + b"".join(
        v.to_bytes(real, "little", signed=True) for v in values)


def zipmap(pairs, free=0, count=None):
    def size(n):
        return bytes([n]) if n < 254 else b"\xfe" + struct.pack("<I", n)

    body = b""
    for field, value in pairs:
        field, value = field.encode(), value.encode()
        body += size(len(field)) + field + size(len(value)) + bytes([free]) + value + b"\0" * free
    return bytes([min(len(pairs), 254) if count is None else count]) + body + b"\xff"


# --- Values: type byte, payload --------------------------------------------------

def list_of(*items):
    return length(len(items)) + b"".join(map(string, items))


def hash_of(*pairs):
    return length(len(pairs)) + b"".join(string(f) + string(v) for f, v in pairs)


def zset_text(*pairs):
    """Type 3: scores as text, with three special lengths."""
    special = {"nan": b"\xfd", "inf": b"\xfe", "-inf": b"\xff"}
    return length(len(pairs)) + b"".join(
        string(m) + special.get(s, bytes([len(s)]) + s.encode()) for m, s in pairs)


def zset_binary(*pairs):
    return length(len(pairs)) + b"".join(string(m) + double(s) for m, s in pairs)


def node(entries, fields=("f",), deleted=()):
    """One stream node over [(ms, seq, values)], all with the master's fields."""
    base = entries[0][:2]
    body = [len(entries) - len(deleted), len(deleted), len(fields), *fields, 0]
    for ms, seq, *values in entries:
        flags = 2 | ((ms, seq) in deleted)
        body += [flags, ms - base[0], seq - base[1], *values, 3 + len(values)]
    return base, body


def stream(kind, nodes, count=None, last=(3, 0), first=(1, 0), max_deleted=(0, 0), added=None, groups=(), idmp=None,
           key=None):
    """`nodes`: [((ms, seq), listpack bytes or element list)]; `groups`: dicts."""
    out = length(len(nodes))
    live = 0
    for base, body in nodes:
        blob = body if isinstance(body, bytes) else listpack(body)
        if not isinstance(body, bytes):
            live += body[0]
        out += string(raw_id(*base) if key is None else key) + string(blob)
    out += length(live if count is None else count) + length(last[0]) + length(last[1])
    if kind >= 19:
        out += length(first[0]) + length(first[1]) + length(max_deleted[0]) + length(max_deleted[1])
        out += length(live if added is None else added)
    out += length(len(groups))
    for group in groups:
        out += string(group.get("name", "g")) + length(group.get("last", (3, 0))[0]) + length(group.get("last", (3, 0))[1])
        if kind >= 19:
            out += length(group.get("read", 3))
        pel = group.get("pel", [])
        out += length(len(pel)) + b"".join(raw_id(*i) + ms64(at) + length(n) for i, at, n in pel)
        consumers = group.get("consumers", [])
        out += length(len(consumers))
        for name, ids in consumers:
            out += string(name) + ms64(1700000000000)
            if kind >= 21:
                out += ms64(1700000000001)
            out += length(len(ids)) + b"".join(raw_id(*i) for i in ids)
        if kind >= 27:
            nacked = group.get("nacked", [])
            out += length(len(nacked)) + b"".join(raw_id(*i) for i in nacked)
    if kind >= 26:
        duration, most, producers, added_ids, duplicates = idmp or (100, 100, [], 0, 0)
        out += length(duration) + length(most) + length(len(producers))
        for producer, ids in producers:
            out += string(producer) + length(len(ids))
            out += b"".join(string(iid) + length(ms) + length(seq) for iid, (ms, seq) in ids)
        out += length(added_ids) + length(duplicates)
    return out


THREE = node([(1, 0, "a"), (2, 0, "b"), (3, 0, "c")])
PEL = [((1, 0), 1700000000000, 1), ((2, 0), 1700000000500, 7)]


def module_id(name, version):
    charset = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    value = 0
    for char in name:
        value = value << 6 | charset.index(char)
    return b"\x81" + (value << 10 | version).to_bytes(8, "big")


# --- Files -----------------------------------------------------------------------

def key(kind, name, value, before=b""):
    return before + bytes([kind]) + string(name) + value


AUX = b"\xfa" + string("redis-ver") + string("7.2.0")


def file(*records, version=9, magic=None, crc=True, eof=b"\xff"):
    """A whole file; `crc`: False for none, a number for that one."""
    head = magic if magic is not None else f"REDIS{version:04}".encode()
    data = head + b"".join(records) + eof
    if crc is False or (version < 5 and crc is True):
        return data
    return data + (crc64(data) if crc is True else crc).to_bytes(8, "little")


def db(number=0, keys=None, expires=0):
    return b"\xfe" + length(number) + (b"" if keys is None else b"\xfb" + length(keys) + length(expires))


# The version that brought each type; what has another number here says why.
FIRST_VERSION = {7: 8, 14: 7, 15: 9, 16: 10, 17: 10, 18: 10, 19: 10, 20: 11, 21: 11, 22: 12, 23: 12, 24: 12, 25: 12,
                 26: 13, 27: 14, 28: 14, 29: 15, 30: 15, 31: 15, 32: 15}


def one(kind, value, version=None, **options):
    """A file with one key, `key`, of the lowest version that has its type."""
    if version is None:
        version = FIRST_VERSION.get(kind, 9)
    return file(db(), key(kind, "key", value), version=version, **options)


def good(name, data):
    OUT[f"handmade/{name}"] = data


def bad(name, data):
    OUT[f"corrupt/{name}.rdb"] = data


def handmade():
    # Types that only old releases wrote.
    good("list_linked.rdb", one(1, list_of("a", "b", "", "12"), 6))
    good("set_old.rdb", one(2, length(3) + string("a") + int_string(7) + int_string(70000), 6))
    good("zset_text_scores.rdb", one(3, zset_text(
        ("a", "1"), ("b", "1.5"), ("c", "-2.5e-10"), ("d", "inf"), ("e", "-inf"), ("f", "17179869184"),
        ("g", "0.10000000000000001")), 6))
    good("hash_zipmap.rdb", one(9, string(zipmap([("f", "v"), ("name", "Ann"), ("empty", "")])), 2))
    good("hash_zipmap_free_bytes.rdb", one(9, string(zipmap([("f", "v"), ("g", "w")], free=3)), 2))
    good("hash_zipmap_long_value.rdb", one(9, string(zipmap([("f", "v" * 300), ("k" * 254, "253")])), 2))
    good("hash_zipmap_count_unknown.rdb", one(9, string(zipmap([("f", "v"), ("g", "w")], count=254)), 2))
    good("list_ziplist.rdb", one(10, string(ziplist(["a", 1, -2, 300, 70000, 8388607, -5000000000, "x" * 70])), 6))
    good("list_ziplist_long_prevlen.rdb", one(10, string(ziplist(["y" * 300, "after a long one", 12, 13])), 6))
    good("zset_ziplist.rdb", one(12, string(ziplist(["a", 1, "b", "1.5", "c", "inf"])), 6))
    good("hash_ziplist.rdb", one(13, string(ziplist(["name", "Ann", "age", 31])), 6))
    good("list_quicklist.rdb", one(14, length(2) + string(ziplist(["a", 1])) + string(ziplist(["b", 2])), 7))

    # Headers from the first one on.
    for version in range(1, 6):
        good(f"header_{version:04}.rdb", file(db(), key(0, "key", string("value")), db(2), key(2, "s", list_of("a", "b")),
                                              version=version))
    good("header_0001_no_select.rdb", file(key(0, "key", string("value")), version=1))
    good("header_0001_expire_seconds.rdb", file(db(), key(0, "key", string("value"), b"\xfd" + struct.pack("<i", TTL // 1000)),
                                                key(0, "never", int_string(5)), version=1))
    good("header_valkey_081_strings.rdb", file(db(), key(0, "key", string("value")), magic=b"VALKEY081"))
    good("empty_redis_0011.rdb", file(version=11))
    good("checksum_zero.rdb", one(0, string("value"), crc=0))

    # Ways to write a key that servers of today do not use but take.
    good("expire_seconds.rdb", file(db(0, 2, 1), key(0, "key", string("value"), b"\xfd" + struct.pack("<i", TTL // 1000)),
                                    key(0, "never", string("value"))))
    good("idle_and_freq.rdb", file(db(), key(0, "both", string("v"), b"\xfc" + ms64(TTL) + b"\xf8" + length(100000) + b"\xf9\x4d"),
                                   key(0, "idle", string("v"), b"\xf8\x05"), key(0, "freq", string("v"), b"\xf9\xff"),
                                   key(0, "none", string("v"))))
    good("aux_between_keys.rdb", file(db(), key(0, "a", string("1")), b"\xfc" + ms64(TTL), AUX, key(0, "b", string("2"))))
    good("aux_unknown_names.rdb", file(b"\xfa" + string("%fork") + int_string(-7), b"\xfa" + string("x" * 70) + string(b"\xff\0"),
                                       b"\xfa" + string("lua") + string("return 1"), db(), key(0, "key", string("value"))))
    good("lengths_overlong.rdb", file(db(), b"\x00" + b"\x40\x03key" + b"\x80\0\0\0\x05value", b"\x00" + b"\x81" + b"\0" * 7 +
                                      b"\x02k2" + b"\xc2" + struct.pack("<i", 5)))
    good("string_lzf_tiny.rdb", one(0, lzf_string(b"\x00a", 1)))
    good("select_empty_and_twice.rdb", file(db(5), db(1), key(0, "a", string("1")), db(0), key(0, "b", string("2")), db(1),
                                            key(0, "c", string("3"))))
    good("db_sparse.rdb", file(db(1_000_000), key(0, "key", string("value"))))
    good("list_quicklist2_plain_small.rdb", one(18, length(2) + length(1) + string("plain") + length(2) +
                                                string(listpack(["packed", 12])), 10))
    good("list_quicklist2_empty_node.rdb", one(18, length(2) + length(2) + string(listpack([])) + length(2) +
                                               string(listpack(["a"])), 10))
    good("set_listpack_integers.rdb", one(20, string(listpack([1, 2, 70000]))))
    good("listpack_text_numbers.rdb", one(16, string(listpack(["f", "12", "g", "-0"]))))
    good("listpack_count_unknown.rdb", one(16, string(listpack(["f", "v"], count=65535))))
    good("listpack_wide_integer.rdb", one(16, string(listpack(["f", 5], entries=lp_entry("f") + b"\xf4" + struct.pack("<q", 5) + b"\x09"))))
    quirk = "z" * 16378
    good("listpack_16383_narrow.rdb", one(16, lzf_fill(listpack(
        ["f", quirk], entries=lp_entry("f") + lp_entry(quirk, lp_backlen(16383, quirk=False))))))
    good("listpack_16383_wide.rdb", one(16, lzf_fill(listpack(["f", quirk]))))
    good("intset_too_wide.rdb", one(11, string(intset([1, 2, 3], width=8))))
    good("zset_descending_not.rdb", one(5, zset_binary(("a", 1.0), ("c", 3.0), ("b", 2.0))))
    good("entries_read_unknown.rdb", one(19, stream(19, [THREE], groups=[{"read": (1 << 64) - 1}]), 10))

    # Field deadlines before the release that brought them.
    good("hash_ttl_22_redis_rc.rdb", one(22, length(3) + length(0) + string("a") + string("1") + length(TTL) + string("b") +
                                         string("2") + length(TTL + 500) + string("c") + string("3"), 12))
    good("hash_ttl_23_redis_rc.rdb", one(23, string(listpack(["b", "2", TTL, "c", "3", TTL + 500, "a", "1", 0])), 12))
    good("hash_ttl_25_prefix_zero.rdb", one(25, ms64(0) + string(listpack(["b", "2", TTL, "a", "1", 0])), 12))
    good("hash_22_valkey.rdb", file(db(), key(22, "key", length(2) + string("a") + string("1") + ms64(TTL) + string("b") +
                                              string("2") + ms64(-1)), magic=b"VALKEY080"))
    good("slot_import_valkey.rdb", file(b"\xf3" + string("0123456789abcdef0123456789abcdef01234567") + length(1) +
                                        length(100) + length(200), db(), key(0, "key", string("value")), magic=b"VALKEY080"))

    # Redis 8.8 and 8.10.
    good("stream_27_nack_zone.rdb", one(27, stream(
        27, [THREE], groups=[{"pel": [((1, 0), 1700000000000, 1), ((2, 0), 0, (1 << 63) - 1), ((3, 0), 0, 0)],
                              "consumers": [("c", [(1, 0)])], "nacked": [(3, 0), (2, 0)]}],
        idmp=(3600, 500, [("p", [("iid", (2, 0))])], 1, 0)), 14))
    good("stream_27_plain.rdb", one(27, stream(27, [THREE]), 14))
    tags = (length(0) + length(1) + struct.pack("<q", -7), length(1) + length(2) + double(3.5), length(2) + length(3) + string("abc"),
            length(100) + length(0) + string("eighthr"), length(5000) + length(3) + string(""))
    good("array_28_all_tags.rdb", one(28, length(5) + length(1) + length(5000) + b"".join(tags), 14))
    good("array_28_no_cursor.rdb", one(28, length(1) + length(0) + length(0) + length(0) + string("array-value"), 14))
    good("array_28_far_index.rdb", one(28, length(1) + length(0) + length((1 << 64) - 2) + length(0) + string("last"), 14))
    template = b"\xf2" + length(0) + length(3) + string("age") + string("name") + string("email")
    other = b"\xf2" + length(7) + length(1) + string("")
    good("hash_template_30_32.rdb", file(template, other, db(), key(30, "u:1", string(listpack([0, 30, "bob", "b@x"]))),
                                         key(32, "u:2", length(0) + int_string(30) + string("bob") + string("b@x")),
                                         key(32, "odd", length(7) + string("value of the empty field")),
                                         version=15))
    good("hash_template_29_31_in_file.rdb", file(
        db(), key(29, "lp:lp", length(0) + string(listpack(["age", "name"])) + string(listpack([0, 30, "bob"]))),
        key(29, "raw:lp", length(1) + length(2) + string("age") + string("name") + string(listpack([0, 30, "bob"]))),
        key(31, "lp:array", length(0) + string(listpack(["age", "name"])) + int_string(30) + string("bob")),
        key(31, "raw:array", length(1) + length(2) + string("age") + string("name") + int_string(30) + string("bob")),
        version=15))
    for kind, value in ((29, length(0) + string(listpack(["age", "name"])) + string(listpack([0, 30, "bob"]))),
                        (31, length(1) + length(2) + string("age") + string("name") + int_string(30) + string("bob"))):
        payload = bytes([kind]) + value + struct.pack("<H", 15)
        good(f"dump_payload_{kind}.bin", payload + crc64(payload).to_bytes(8, "little"))
    good("dump_payload_no_checksum.bin", b"\x00" + string("bar") + struct.pack("<H", 13) + bytes(8))

    # Other makers and builds.
    good("enterprise_slot_and_lru.rdb", file(db(), b"\x79" + length(5061), key(0, "foo", string("1"), b"\x6b" + length(12345)),
                                             key(0, "bar", string("2"))))
    good("function_pre_ga.rdb", file(b"\xf6" + string("lib") + string("LUA") + length(1) + string("a description") +
                                     string("redis.register_function('f', function(keys, args) return 1 end)"),
                                     b"\xf6" + string("lib2") + string("LUA") + length(0) + string("return 2"),
                                     db(), key(0, "key", string("value")), version=10))
    good("valkey_path_hash_23.rdb", one(23, string("a layout that nobody has published"), magic=b"VALKEY081"))
    spec = ("KMT1", 3, 1)
    meta = b"\xf3" + length(1) + meta_class(*spec) + length(2) + length(5) + length(5) + string("meta") + length(0)
    good("key_meta.rdb", file(db(), key(0, "key", string("value"), b"\xfc" + ms64(TTL) + b"\xf9\x06" + meta),
                              key(0, "plain", string("value")), version=13))
    good("slot_info_redis.rdb", file(db(0, 2, 1), b"\xf4" + length(5061) + length(1) + length(0), key(0, "bar", string("2")),
                                     b"\xf4" + length(12182) + length(1) + length(1),
                                     key(0, "foo", string("1"), b"\xfc" + ms64(TTL)), version=12))
    unknown = module_id("nosuchmod", 2)
    good("module_unknown.rdb", one(7, unknown + length(1) + length((1 << 64) - 5) + length(2) + length(300) + length(3) +
                                   struct.pack("<f", 1.5) + length(4) + double(0.1) + length(5) + string(b"\0\xff") + length(0)))
    good("module_aux_unknown.rdb", file(b"\xf7" + unknown + length(2) + length(1) + length(5) + string("before") + length(0),
                                        db(), key(0, "key", string("value")),
                                        b"\xf7" + unknown + length(2) + length(2) + length(0)))


def meta_class(name, version, flags):
    charset = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
    value = 0
    for char in name:
        value = value << 6 | charset.index(char)
    return struct.pack("<I", value << 8 | version << 3 | flags)


assert meta_class("KMT1", 3, 1) == bytes.fromhex("19f5c428")
assert meta_class("zz_-", 31, 0) == bytes.fromhex("f8bf3fcf")


def lzf_fill(blob):
    """An LZF string of a blob with long runs, so that a file of 16 KB stays small."""
    out, at, literal = b"", 0, b""

    def flush():
        nonlocal out, literal
        while literal:
            part, literal = literal[:32], literal[32:]
            out += bytes([len(part) - 1]) + part

    while at < len(blob):
        run = 0
        while at and at + run < len(blob) and run < 264 and blob[at + run] == blob[at - 1]:
            run += 1
        if run >= 9:
            flush()
            out += bytes([0xE0, run - 9, 0])  # back by one byte
            at += run
        else:
            literal += blob[at:at + 1]
            at += 1
    flush()
    return lzf_string(out, len(blob))


def corrupt():
    sound = file(AUX, db(0, 2, 1), key(0, "key", string("value")), key(0, "ttl", int_string(5), b"\xfc" + ms64(TTL)))

    # The frame.
    bad("file_checksum_wrong", sound[:-8] + bytes([sound[-8] ^ 1]) + sound[-7:])
    flipped = sound.replace(b"value", b"valve")
    bad("file_value_bit_flipped", flipped)
    bad("file_checksum_cut", sound[:-3])
    bad("file_checksum_missing", sound[:-8])
    bad("file_no_eof", sound[:-9])
    bad("file_cut_in_value", sound[:sound.index(b"value") + 2])
    bad("file_cut_in_header", sound[:5])
    bad("file_only_header", sound[:9])
    bad("file_magic_wrong", file(db(), key(0, "key", string("value")), magic=b"RADIS0011"))
    bad("file_version_not_digits", file(db(), key(0, "key", string("value")), magic=b"REDIS00x1"))
    bad("file_version_blanks", file(db(), key(0, "key", string("value")), magic=b"REDIS   9"))
    bad("file_version_0", file(db(), key(0, "key", string("value")), magic=b"REDIS0000"))
    bad("file_version_16", file(db(), key(0, "key", string("value")), version=16))
    bad("file_version_79", file(db(), key(0, "key", string("value")), version=79))
    bad("file_version_valkey_011", file(db(), key(0, "key", string("value")), magic=b"VALKEY011"))
    bad("file_trailing_garbage", sound + b"garbage after the end")
    bad("file_trailing_zero_bytes", sound + bytes(16))
    bad("file_trailing_v4", file(db(), key(0, "key", string("value")), version=4) + b"garbage")

    # Opcodes and type bytes.
    for byte in (8, 34, 99, 240):
        bad(f"type_{byte}_unknown", one(byte, string("value")))
    bad("opcode_241_unknown", file(db(), b"\xf1", key(0, "key", string("value")), version=15))
    bad("type_6_module_pre_ga", one(6, module_id("nosuchmod", 1) + string("opaque")))
    bad("type_28_in_version_13", one(28, length(1) + length(0) + length(0) + length(0) + string("v"), 13))
    bad("type_33_gcra", one(33, length(5), 15))
    bad("type_22_in_valkey_8_file", one(22, length(1) + length(0) + string("a") + string("1"), 11))
    bad("type_30_template_unknown", file(db(), key(30, "key", string(listpack([5, 1]))), version=15))
    bad("template_unsorted", file(b"\xf2" + length(0) + length(2) + string("name") + string("age"), db(),
                                  key(32, "key", length(0) + string("1") + string("2")), version=15))
    bad("template_values_missing", file(b"\xf2" + length(0) + length(2) + string("age") + string("name"), db(),
                                        key(30, "key", string(listpack([0, 1]))), version=15))
    bad("template_duplicate_id", file(b"\xf2" + length(0) + length(1) + string("a"), b"\xf2" + length(0) + length(1) + string("b"),
                                      db(), key(32, "key", length(0) + string("1")), version=15))
    bad("array_28_tag_unknown", one(28, length(1) + length(0) + length(0) + length(4) + string("v"), 14))
    bad("array_28_index_duplicate", one(28, length(2) + length(0) + (length(3) + length(0) + string("v")) * 2, 14))
    bad("array_28_empty", one(28, length(0) + length(0), 14))
    bad("expire_without_key", file(db(), key(0, "key", string("value")), b"\xfc" + ms64(TTL)))
    bad("expire_twice", file(db(), key(0, "key", string("value"), b"\xfc" + ms64(TTL) + b"\xfc" + ms64(TTL + 1))))
    bad("expire_minus_one", file(db(), key(0, "key", string("value"), b"\xfc" + ms64(-1))))
    bad("key_meta_then_opcode", file(db(), b"\xf3" + length(1) + meta_class("KMT1", 3, 1) + length(0) + b"\xfc" + ms64(TTL),
                                     key(0, "key", string("value")), version=13))
    bad("key_meta_too_many_classes", file(db(), key(0, "key", string("value"), b"\xf3" + length(8) +
                                                    (meta_class("KMT1", 3, 1) + length(0)) * 8), version=13))
    bad("db_number_huge", file(db(1 << 40), key(0, "key", string("value"))))
    bad("resizedb_too_many", file(db(0, 5, 3), key(0, "key", string("value"))))
    bad("resizedb_too_few", file(db(0, 1, 0), key(0, "a", string("1"), b"\xfc" + ms64(TTL)), key(0, "b", string("2"))))
    bad("slot_info_wrong_count", file(db(), b"\xf4" + length(5061) + length(3) + length(0), key(0, "bar", string("2")), version=12))
    bad("slot_info_wrong_slot", file(db(), b"\xf4" + length(1) + length(1) + length(0), key(0, "bar", string("2")), version=12))
    bad("slot_import_short_name", file(b"\xf3" + string("short") + length(1) + length(1) + length(2), db(), magic=b"VALKEY080"))
    bad("function_without_shebang", file(b"\xf5" + string("return 1"), db(), key(0, "key", string("value"))))

    # Lengths and strings.
    bad("length_special_code_as_count", one(2, b"\xc1" + string("a")))
    bad("length_reserved_form", one(0, b"\x82\0\0\0\x05value"))
    bad("string_special_code_unknown", one(0, b"\xc4\x05value"))
    bad("string_length_huge", one(0, b"\x81" + b"\xff" * 7 + b"\xf0" + b"value"))
    bad("string_length_past_end", one(0, length(1000) + b"value"))
    bad("key_length_past_end", file(db(), b"\x00" + b"\x80\x7f\xff\xff\xff" + b"key"))
    bad("key_duplicate", file(db(), key(0, "key", string("1")), key(0, "other", string("2")), key(0, "key", string("3"))))
    bad("key_duplicate_as_integer", file(db(), key(0, "12", string("1")), b"\x00" + int_string(12) + string("2")))
    good_lzf = bytes([2]) + b"aba" + bytes([0xE0, 106, 1]) + bytes([1]) + b"ab"
    assert one(0, lzf_string(good_lzf, 120))
    bad("lzf_length_too_long", one(0, lzf_string(good_lzf, 121)))
    bad("lzf_length_too_short", one(0, lzf_string(good_lzf, 100)))
    bad("lzf_offset_before_start", one(0, lzf_string(b"\x00a" + bytes([0xE0, 0, 50]), 10)))
    bad("lzf_cut_literal", one(0, lzf_string(b"\x1fabc", 32)))
    bad("lzf_cut_reference", one(0, lzf_string(b"\x00a\xe0", 10)))
    bad("lzf_empty", one(0, lzf_string(b"", 0)))
    bad("lzf_bomb", one(0, lzf_string(b"\x00a" + b"\xe0\xff\x00" * 40, 1 << 40)))
    bad("lzf_bomb_real", one(0, lzf_string(b"\x00a" + b"\xe0\xff\x00" * 2000, 1 + 264 * 2000 + 1)))

    # Counts that the bytes cannot back.
    for name, kind, value in (("list", 1, b""), ("set", 2, string("a")), ("zset_text", 3, b""), ("hash", 4, string("f")),
                              ("zset", 5, string("m")), ("quicklist", 14, b""), ("quicklist2", 18, b""), ("stream", 21, b"")):
        bad(f"count_huge_{name}", one(kind, b"\x81" + b"\xff" * 7 + b"\xfe" + value))
        bad(f"count_max_{name}", one(kind, b"\x81" + b"\xff" * 8 + value))
    bad("count_huge_hash_ttl", one(24, ms64(TTL) + b"\x81" + b"\xff" * 7 + b"\xfe" + length(1), 12))
    bad("count_huge_array", one(28, b"\x81" + b"\xff" * 7 + b"\xfe" + length(0), 14))
    bad("count_one_too_many", one(1, length(3) + string("a") + string("b")))
    bad("count_huge_template_fields", file(b"\xf2" + length(0) + b"\x81" + b"\xff" * 7 + b"\xfe" + string("a"), db(), version=15))

    # Listpacks.
    def lp(name, blob, kind=16, prefix=b"", version=None):
        bad(f"listpack_{name}", one(kind, prefix + string(blob), version))

    lp("backlen_wrong", listpack(["f", "v"], entries=lp_entry("f", b"\x03") + lp_entry("v")))
    lp("backlen_stray_bit", listpack(["f", 1 << 40], entries=lp_entry("f") + lp_entry(1 << 40, b"\x89")))
    lp("backlen_too_wide", listpack(["f", "v"], entries=lp_entry("f", b"\x00\x82") + lp_entry("v")))
    lp("count_too_high", listpack(["f", "v"], count=4))
    lp("count_too_low", listpack(["f", "v", "g", "w"], count=2))
    lp("count_odd", listpack(["f", "v", "g"]))
    lp("total_too_high", listpack(["f", "v"], total=100))
    lp("total_too_low", listpack(["f", "v"], total=8))
    lp("no_terminator", listpack(["f", "v"], end=b""))
    lp("terminator_early", listpack(["f", "v"], entries=lp_entry("f") + b"\xff" + lp_entry("v")))
    lp("lead_byte_reserved", listpack(["f", "v"], entries=lp_entry("f") + b"\xf5\x01\x02"))
    lp("string_past_end", listpack(["f", "v"], entries=lp_entry("f") + b"\xbfv\x02"))
    lp("string32_past_end", listpack(["f", "v"], entries=lp_entry("f") + b"\xf0\xff\xff\xff\xffv\x02"))
    lp("integer_past_end", listpack(["f", "v"], entries=lp_entry("f") + b"\xf4\x01\x02"))
    lp("too_short", b"\x06\0\0\0\0\0")
    lp("empty_blob", b"")
    lp("empty", listpack([]))
    lp("field_duplicate", listpack(["f", "1", "g", "2", "f", "3"]))
    lp("field_duplicate_as_integer", listpack([12, "1", "12", "2"]))
    lp("set_member_duplicate", listpack(["a", "b", "a"]), 20)
    lp("zset_unsorted", listpack(["a", 3, "b", 1]), 17)
    lp("zset_unsorted_same_score", listpack(["b", 1, "a", 1]), 17)
    lp("zset_member_duplicate", listpack(["a", 1, "a", 2]), 17)
    lp("zset_score_nan", listpack(["a", "nan"]), 17)
    lp("zset_score_text", listpack(["a", "one"]), 17)
    lp("zset_odd", listpack(["a", 1, "b"]), 17)
    lp("hash_ttl_not_integer", listpack(["a", "1", "soon"]), 25, ms64(TTL))
    lp("hash_ttl_negative", listpack(["a", "1", -5]), 25, ms64(TTL))
    lp("hash_ttl_too_large", listpack(["a", "1", 1 << 48]), 25, ms64(TTL))
    lp("hash_ttl_not_triples", listpack(["a", "1", TTL, "b"]), 25, ms64(TTL))
    lp("hash_ttl_unsorted", listpack(["a", "1", TTL + 5, "b", "2", TTL]), 25, ms64(TTL))
    lp("hash_ttl_zero_first", listpack(["a", "1", 0, "b", "2", TTL]), 25, ms64(TTL))
    lp("hash_ttl_field_duplicate", listpack(["a", "1", TTL, "a", "2", 0]), 25, ms64(TTL))
    lp("hash_ttl_backlen_wrong", listpack(["a", "1", TTL], entries=lp_entry("a") + lp_entry("1") + lp_entry(TTL, b"\x08")), 25, ms64(TTL))
    bad("listpack_in_lzf_backlen_wrong", one(16, lzf_fill(listpack(
        ["f", "v" * 100], entries=lp_entry("f", b"\x05") + lp_entry("v" * 100)))))

    # Ziplists.
    def zl(name, blob, kind=13, version=6):
        bad(f"ziplist_{name}", one(kind, string(blob), version))

    zl("prevlen_wrong", ziplist(["f", "v"], patch=lambda b: b[:3] + b"\x07" + b[4:]))
    zl("prevlen_255", ziplist(["f", "v"], patch=lambda b: b[:3] + b"\xff" + b[4:]))
    zl("tail_wrong", ziplist(["f", "v"], tail=11))
    zl("tail_past_end", ziplist(["f", "v"], tail=1000))
    zl("count_too_high", ziplist(["f", "v"], count=4))
    zl("count_too_low", ziplist(["f", "v", "g", "w"], count=2))
    zl("count_odd", ziplist(["f", "v", "g"]))
    zl("total_too_high", ziplist(["f", "v"], total=100))
    zl("total_too_low", ziplist(["f", "v"], total=11))
    zl("no_terminator", ziplist(["f", "v"], end=b""))
    zl("encoding_reserved", ziplist(["f", "v"], patch=lambda b: b[:4] + b"\xc5" + b[5:]))
    zl("string_past_end", ziplist(["f", "v"], patch=lambda b: b[:4] + b"\x3f" + b[5:]))
    zl("string32_past_end", ziplist(["f", "v"], patch=lambda b: b[:4] + b"\x80\xff\xff\xff\xff" + b[5:]))
    zl("too_short", b"\x0a\0\0\0\x0a\0\0\0\0\0")
    zl("empty", ziplist([]))
    zl("field_duplicate", ziplist(["f", "1", "f", "2"]))
    zl("zset_unsorted", ziplist(["a", 3, "b", 1]), 12)
    zl("zset_score_text", ziplist(["a", "one"]), 12)
    bad("ziplist_in_quicklist_tail_wrong", one(14, length(2) + string(ziplist(["a"])) + string(ziplist(["b", "c"], tail=99)), 9))

    # Intsets and zipmaps.
    for name, blob in (("unordered", intset([3, 1, 2])), ("duplicate", intset([1, 1, 2])), ("width_3", intset([1, 2], width=3)),
                       ("count_too_high", intset([1, 2], count=3)), ("count_too_low", intset([1, 2], count=1)),
                       ("empty", intset([], width=2)), ("count_huge", intset([1], count=0xFFFFFFFF)), ("too_short", b"\x02\0\0\0\x01")):
        bad(f"intset_{name}", one(11, string(blob)))
    for name, blob in (("no_terminator", zipmap([("f", "v")])[:-1]), ("count_wrong", zipmap([("f", "v")], count=3)),
                       ("field_duplicate", zipmap([("f", "v"), ("f", "w")])), ("empty", zipmap([])),
                       ("value_past_end", b"\x01\x01f\xc8\x00v\xff"), ("value_missing", b"\x01\x01f\xff"),
                       ("long_length_past_end", b"\x01\xfe\xff\xff\xff\xfff\xff"), ("free_past_end", b"\x01\x01f\x01\x50v\xff")):
        bad(f"zipmap_{name}", one(9, string(blob), 6))

    # Collections.
    bad("list_empty", one(1, length(0)))
    bad("set_empty", one(2, length(0)))
    bad("quicklist2_empty", one(18, length(0)))
    bad("quicklist2_container_3", one(18, length(1) + length(3) + string(listpack(["a"]))))
    bad("quicklist2_empty_string", one(18, length(1) + length(1) + string("")))
    bad("quicklist2_listpack_cut", one(18, length(1) + length(2) + string(listpack(["a", "b"])[:-2])))
    bad("set_member_duplicate", one(2, list_of("a", "b", "a")))
    bad("set_member_duplicate_as_integer", one(2, length(2) + string("12") + int_string(12)))
    bad("hash_field_duplicate", one(4, hash_of(("f", "1"), ("g", "2"), ("f", "3"))))
    bad("zset_member_duplicate", one(5, zset_binary(("a", 1.0), ("a", 2.0))))
    bad("zset_score_nan", one(5, zset_binary(("a", float("nan")))))
    bad("zset_text_score_nan", one(3, zset_text(("a", "nan")), 6))
    bad("zset_text_score_word", one(3, zset_text(("a", "one")), 6))
    bad("hash_ttl_24_overflow", one(24, ms64(TTL) + length(1) + length((1 << 64) - 1) + string("a") + string("1"), 12))
    bad("hash_ttl_24_too_large", one(24, ms64(TTL) + length(1) + length(1 << 48) + string("a") + string("1"), 12))
    bad("hash_ttl_24_minimum_wrong", one(24, ms64(TTL) + length(1) + length(500) + string("a") + string("1"), 12))
    bad("hash_ttl_24_none", one(24, ms64(0) + length(1) + length(0) + string("a") + string("1"), 12))
    bad("hash_ttl_24_field_duplicate", one(24, ms64(TTL) + length(2) + (length(1) + string("a") + string("1")) * 2, 12))
    bad("hash_22_valkey_negative", file(db(), key(22, "key", length(1) + string("a") + string("1") + ms64(-2)), magic=b"VALKEY080"))
    bad("hash_22_valkey_no_deadline", file(db(), key(22, "key", length(1) + string("a") + string("1") + ms64(-1)), magic=b"VALKEY080"))

    # Streams.
    def st(name, kind=21, version=None, **options):
        bad(f"stream_{name}", one(kind, stream(kind, options.pop("nodes", [THREE]), **options), version))

    st("length_too_high", count=4)
    st("length_too_low", count=2)
    st("length_without_nodes", nodes=[], count=3)
    st("last_id_too_small", last=(2, 0))
    st("first_id_wrong", first=(2, 0))
    st("max_deleted_after_last_id", max_deleted=(9, 0))
    st("entries_added_too_low", added=1)
    st("node_key_short", key=b"\0" * 15)
    st("node_key_not_master", key=raw_id(1, 7))
    st("node_duplicate", nodes=[THREE, THREE], count=6)
    later = node([(4, 0, "d")])
    st("nodes_unordered", nodes=[later, THREE], last=(4, 0))
    st("nodes_overlap", nodes=[THREE, node([(2, 5, "x")])], last=(3, 0))
    st("entry_ids_unordered", nodes=[node([(1, 0, "a"), (3, 0, "b"), (2, 0, "c")])])
    base, body = THREE
    st("node_count_wrong", nodes=[(base, [5, *body[1:]])], count=3)
    st("node_deleted_count_wrong", nodes=[(base, [body[0], 2, *body[2:]])])
    st("node_field_count_huge", nodes=[(base, [3, 0, 1 << 40, *body[3:]])])
    st("node_field_count_negative", nodes=[(base, [3, 0, -1, *body[3:]])])
    st("node_master_not_integer", nodes=[(base, listpack(["three", *body[1:]]))], count=3)
    st("node_master_no_zero", nodes=[(base, [*body[:4], 1, *body[5:]])])
    st("entry_count_wrong", nodes=[(base, [*body[:-1], 9])])
    st("entry_flags_unknown", nodes=[(base, [*body[:5], 6, *body[6:]])])
    st("node_listpack_count_wrong", nodes=[(base, listpack(body, count=99))], count=3)
    st("entry_cut", nodes=[(base, body[:-2])])
    st("entry_own_fields_huge", nodes=[(base, [1, 0, 1, "f", 0, 0, 0, 0, 1 << 40, "x", "y", 6])])
    st("node_listpack_bad", nodes=[(base, listpack(body, total=500))], count=3)
    st("node_empty_listpack", nodes=[(base, listpack([]))], count=3)
    group = {"pel": PEL, "consumers": [("alice", [(1, 0)]), ("bob", [(2, 0)])]}
    st("pel_foreign_owner", groups=[{**group, "consumers": [("alice", [(1, 0), (3, 0)]), ("bob", [(2, 0)])]}])
    st("pel_without_owner", groups=[{**group, "consumers": [("alice", [(1, 0)])]}])
    st("pel_two_owners", groups=[{**group, "consumers": [("alice", [(1, 0), (2, 0)]), ("bob", [(2, 0)])]}])
    st("pel_duplicate", groups=[{**group, "pel": [*PEL, PEL[0]]}])
    st("pel_unordered", groups=[{**group, "pel": PEL[::-1]}])
    st("consumer_duplicate", groups=[{**group, "consumers": [("alice", [(1, 0)]), ("alice", [(2, 0)])]}])
    st("group_duplicate", groups=[group, group])
    st("group_read_beyond_added", groups=[{**group, "read": 50}])
    st("group_last_id_beyond_stream", groups=[{**group, "last": (99, 0)}])
    st("pel_count_huge", nodes=[THREE], groups=[])
    tail = stream(21, [THREE])[:-1] + length(1) + string("g") + length(3) + length(0) + length(3)
    OUT["corrupt/stream_pel_count_huge.rdb"] = one(21, tail + b"\x81" + b"\xff" * 7 + b"\xfe" + raw_id(1, 0))
    st("idmp_duration_zero", 26, 13, idmp=(0, 100, [], 0, 0))
    st("idmp_duration_too_long", 26, 13, idmp=(86401, 100, [], 0, 0))
    st("idmp_max_too_large", 26, 13, idmp=(100, 10001, [], 0, 0))
    st("idmp_producer_duplicate", 26, 13, idmp=(100, 100, [("p", []), ("p", [])], 0, 0))
    st("idmp_message_duplicate", 26, 13, idmp=(100, 100, [("p", [("i", (1, 0)), ("i", (2, 0))])], 2, 0))
    st("nack_not_pending", 27, 14, groups=[{**group, "nacked": [(3, 0)]}])
    st("nack_owned", 27, 14, groups=[{**group, "nacked": [(2, 0)]}])

    # Modules.
    name = module_id("nosuchmod", 2)
    bad("module_opcode_unknown", one(7, name + length(9) + length(1) + length(0)))
    bad("module_no_end", one(7, name + length(2) + length(1)))
    bad("module_string_past_end", one(7, name + length(5) + length(5000) + b"x"))
    bad("module_aux_no_when", file(b"\xf7" + name + length(5) + string("x") + length(0), db(), key(0, "key", string("value"))))
    json = module_id("ReJSON-RL", 3)
    bad("module_json_text_bad", one(7, json + length(5) + string('{"a":') + length(0)))
    bad("module_json_two_items", one(7, json + length(5) + string("1") + length(5) + string("2") + length(0)))


# --- Offering the files to the servers ---------------------------------------------

def verdicts(root):
    """Prints, for each file and installed server, whether the server loads it."""
    servers = sorted(path.parent.parent for path in root.glob("*/bin/*-server"))
    print("file", *[path.name for path in servers], sep="\t")
    for name in sorted(OUT):
        if not name.endswith(".rdb"):
            continue
        row = [name]
        for server in servers:
            row.append(offer(server, OUT[name]))
        print(*row, sep="\t", flush=True)


def offer(server, data):
    import shutil
    import socket
    import time
    family = server.name.split("-")[0]
    directory = Path(tempfile.mkdtemp(prefix="rdbkit-"))
    (directory / "dump.rdb").write_bytes(data)
    words = [server / "bin" / f"{family}-server", "--port", "0", "--unixsocket", directory / "sock", "--dir", directory,
             "--save", ""]
    process = subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        limit = time.monotonic() + 10
        while time.monotonic() < limit:
            if process.poll() is not None:
                return "refused" if process.returncode >= 0 and b"crash" not in process.stdout.read().lower() else "CRASH"
            try:
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(str(directory / "sock"))
                    s.settimeout(5)
                    s.sendall(b"PING\r\nDBSIZE\r\nQUIT\r\n")
                    answer = b""
                    while part := s.recv(4096):
                        answer += part
                if answer.startswith(b"+PONG"):
                    return "keys" + answer.split(b"\r\n")[1].decode()
            except OSError:
                pass
            time.sleep(0.01)
        return "HANGS"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        shutil.rmtree(directory)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", type=Path, nargs="?", const=HERE.parent / "target" / "servers",
                        help="the folder of the servers to offer each file to")
    options = parser.parse_args()
    handmade()
    corrupt()
    for folder in ("handmade", "corrupt"):
        (HERE / folder).mkdir(exist_ok=True)
    for name, data in OUT.items():
        assert len(data) < 20_000, name
        (HERE / name).write_bytes(data)
    print(f"{len(OUT)} files", file=sys.stderr)
    if options.servers:
        verdicts(options.servers)


if __name__ == "__main__":
    main()
