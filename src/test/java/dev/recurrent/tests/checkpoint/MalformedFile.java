package dev.recurrent.tests.checkpoint;

import static dev.recurrent.tests.checkpoint.Safetensors.bytes;
import static dev.recurrent.tests.checkpoint.Safetensors.entry;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A file that breaks one rule of the format.
 *
 * @param name what is wrong
 * @param start the file's first bytes
 * @param size the file's size; what follows the first bytes is sparse zeros
 * @param tensor the tensor at fault, or null
 * @param rule what the exception must say
 */
record MalformedFile(String name, byte[] start, long size, String tensor, String rule) {

    /** Deep enough to overflow the stack of a recursive parser. */
    private static final int DEPTH = 1_000_000;

    private static final String GOOD = entry("w", "F32", "[1]", 0, 4);
    private static final byte[] DATA = new byte[4];

    @Override
    public String toString() {
        return name;
    }

    Path writeTo(Path folder) throws IOException {
        Path file = folder.resolve(name.replace(' ', '-') + ".safetensors");
        Files.write(file, start);
        try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
            sparse.setLength(size);
        }
        return file;
    }

    static List<MalformedFile> corpus() {
        byte[] good = ("{" + GOOD + "}").getBytes(StandardCharsets.UTF_8);
        String deep = "[".repeat(DEPTH);
        return List.of(
                file("empty file", new byte[0], null, "has 0 bytes"),
                file("seven bytes", new byte[7], null, "has 7 bytes"),
                file("header length zero", bytes(0, new byte[0], DATA), null, "start with '{'"),
                file(
                        "header length minus one",
                        bytes(-1, good, DATA),
                        null,
                        "18446744073709551615"),
                file(
                        "header length largest long",
                        bytes(Long.MAX_VALUE, good, DATA),
                        null,
                        "9223372036854775807; it may be at most 100000000"),
                file("header length two gigabytes", bytes(1L << 31, good, DATA), null, "at most"),
                file("header length over the limit", bytes(100_000_001, good), null, "at most"),
                file(
                        "header length over the file",
                        bytes(good.length + 5, good, DATA),
                        null,
                        "truncated"),
                sparse("longest header of zeros", bytes(100_000_000, utf8("{")), "valid JSON"),
                sparse(
                        "longest header in one string",
                        bytes(100_000_000, utf8("{\"")),
                        "valid JSON"),
                header("leading space", " {" + GOOD + "}", null, "start with '{'"),
                header("array", "[]", null, "start with '{'"),
                header("byte order mark", "\ufeff{" + GOOD + "}", null, "start with '{'"),
                file(
                        "not UTF-8",
                        bytes(7, new byte[] {'{', '"', (byte) 0xc3, '(', '"', ':', '}'}),
                        null,
                        "UTF-8"),
                file(
                        "overlong UTF-8",
                        bytes(7, new byte[] {'{', '"', (byte) 0xc0, (byte) 0x80, '"', ':', '}'}),
                        null,
                        "UTF-8"),
                file(
                        "half a character at the end",
                        bytes(3, new byte[] {'{', '}', (byte) 0xc3}),
                        null,
                        "UTF-8"),
                header("lone surrogate", "{\"\\ud800\":{}}", null, "valid Unicode"),
                header("not JSON", "{weights}", null, "valid JSON"),
                header("unquoted name", "{w:{}}", null, "valid JSON"),
                header("comment", "{/**/" + GOOD + "}", null, "valid JSON"),
                header("trailing comma", "{" + GOOD + ",}", null, "valid JSON"),
                header("cut short", "{" + GOOD, null, "valid JSON"),
                header("text after the object", "{" + GOOD + "}{}", null, "follows the JSON"),
                header("deep array for an entry", "{\"w\":" + deep, "w", "must be an object"),
                header(
                        "deep array for a shape",
                        "{\"w\":{\"shape\":" + deep,
                        "w",
                        "each element of shape must be a number"),
                header("deep array for an unknown field", "{\"w\":{\"x\":" + deep, "w", "unknown"),
                header(
                        "deep object for metadata",
                        "{\"__metadata__\":" + "{\"a\":".repeat(DEPTH),
                        null,
                        "must be a string"),
                header("duplicate tensor", "{" + GOOD + "," + GOOD + "}", null, "'w' occurs twice"),
                header(
                        "duplicate tensor by escape",
                        "{" + GOOD + "," + GOOD.replace("\"w\"", "\"\\u0077\"") + "}",
                        null,
                        "'w' occurs twice"),
                header(
                        "duplicate field",
                        "{\"w\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}",
                        "w",
                        "'dtype' occurs twice"),
                header(
                        "duplicate metadata",
                        "{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}," + GOOD + "}",
                        null,
                        "'a' occurs twice"),
                header("metadata string", "{\"__metadata__\":\"pt\"}", null, "must be an object"),
                header("metadata null", "{\"__metadata__\":null}", null, "must be an object"),
                header(
                        "metadata number",
                        "{\"__metadata__\":{\"format\":1}}",
                        null,
                        "must be a string, not a number"),
                header(
                        "metadata tensor",
                        "{" + entry("__metadata__", "F32", "[1]", 0, 4) + "}",
                        null,
                        "must be a string"),
                header("entry of a wrong type", "{\"w\":3}", "w", "must be an object"),
                header("empty entry", "{\"w\":{}}", "w", "dtype is missing"),
                header(
                        "missing dtype",
                        "{\"w\":{\"shape\":[1],\"data_offsets\":[0,4]}}",
                        "w",
                        "dtype is missing"),
                header(
                        "missing shape",
                        "{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}",
                        "w",
                        "shape is missing"),
                header(
                        "missing offsets",
                        "{\"w\":{\"dtype\":\"F32\",\"shape\":[1]}}",
                        "w",
                        "data_offsets is missing"),
                entryOf("dtype of a wrong case", "f32", "[1]", 0, 4, "dtype f32 is not supported"),
                entryOf("unknown dtype", "F8_E4M3", "[4]", 0, 4, "dtype F8_E4M3 is not supported"),
                header(
                        "dtype number",
                        "{\"w\":{\"dtype\":6,\"shape\":[1],\"data_offsets\":[0,4]}}",
                        "w",
                        "dtype must be a string"),
                header(
                        "unknown field",
                        "{\"w\":{\"strides\":[1]}}",
                        "w",
                        "unknown field 'strides'"),
                entryOf("begin after end", "F32", "[1]", 4, 0, "begin ≤ end"),
                entryOf("negative begin", "F32", "[1]", -4, 0, "holds -4"),
                header(
                        "one offset",
                        "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4]}}",
                        "w",
                        "[begin, end]"),
                header(
                        "three offsets",
                        "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}",
                        "w",
                        "more than 2"),
                header(
                        "offsets in strings",
                        "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[\"0\",\"4\"]}}",
                        "w",
                        "must be a number, not a string"),
                entryOf("negative dimension", "F32", "[-1]", 0, 4, "holds -1"),
                entryOf("two negative dimensions", "F32", "[-1,-1]", 0, 4, "holds -1"),
                entryOf("fractional dimension", "F32", "[1.0]", 0, 4, "holds 1.0"),
                entryOf("dimension with an exponent", "F32", "[1e0]", 0, 4, "holds 1e0"),
                entryOf(
                        "dimension beyond a long",
                        "F32",
                        "[9223372036854775808]",
                        0,
                        4,
                        "beyond 2^63"),
                // 2^62 · 4 wraps to 0, 2^32 · 2^32 too.
                entryOf("shape overflow", "F32", "[4294967296,4294967296]", 0, 0, "more bytes"),
                entryOf("size overflow", "F32", "[4611686018427387904]", 0, 0, "more bytes"),
                entryOf(
                        "overflow beside a zero",
                        "F32",
                        "[0,4611686018427387904,4]",
                        0,
                        0,
                        "more bytes"),
                entryOf(
                        "too many dimensions",
                        "F32",
                        "[1" + ",1".repeat(64) + "]",
                        0,
                        4,
                        "more than 64"),
                entryOf("size too small", "F32", "[2]", 0, 4, "shape [2] takes 8"),
                entryOf("size too large", "F32", "[]", 0, 3, "shape [] takes 4"),
                entryOf("end beyond the file", "F32", "[2]", 0, 8, "holds 4 bytes of data"),
                entryOf("a terabyte claimed", "U8", "[1099511627776]", 0, 1L << 40, "truncated"),
                entryOf(
                        "end beyond any file",
                        "U8",
                        "[9223372036854775807]",
                        0,
                        Long.MAX_VALUE,
                        "beyond any file"),
                header(
                        "overlap",
                        "{" + GOOD + "," + entry("v", "U8", "[2]", 2, 4) + "}",
                        "v",
                        "overlaps another: it begins at offset 2 and must begin at 4"),
                header(
                        "same bytes twice",
                        "{" + GOOD + "," + entry("x", "U8", "[4]", 0, 4) + "}",
                        "x",
                        "overlaps another"),
                header(
                        "hole at the start",
                        "{" + entry("w", "U8", "[3]", 1, 4) + "}",
                        "w",
                        "follows a hole: it begins at offset 1 and must begin at 0"),
                header(
                        "hole between",
                        "{"
                                + entry("a", "U8", "[1]", 0, 1)
                                + ","
                                + entry("b", "U8", "[1]", 3, 4)
                                + "}",
                        "b",
                        "follows a hole"),
                header(
                        "empty tensor beyond the end",
                        "{" + GOOD + "," + entry("e", "U8", "[0]", 5, 5) + "}",
                        "e",
                        "follows a hole"),
                header(
                        "empty tensor inside another",
                        "{" + GOOD + "," + entry("e", "U8", "[0]", 2, 2) + "}",
                        "e",
                        "overlaps another"),
                file(
                        "trailing bytes",
                        bytes("{" + GOOD + "}", new byte[5]),
                        null,
                        "1 bytes follow"),
                header("no tensors but data", "{}", null, "4 bytes follow"));
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static MalformedFile file(String name, byte[] bytes, String tensor, String rule) {
        return new MalformedFile(name, bytes, bytes.length, tensor, rule);
    }

    private static MalformedFile sparse(String name, byte[] bytes, String rule) {
        return new MalformedFile(name, bytes, 100_000_008, null, rule);
    }

    private static MalformedFile header(String name, String header, String tensor, String rule) {
        return file(name, bytes(header, DATA), tensor, rule);
    }

    private static MalformedFile entryOf(
            String name, String dtype, String shape, long begin, long end, String rule) {
        return header(name, "{" + entry("w", dtype, shape, begin, end) + "}", "w", rule);
    }
}
