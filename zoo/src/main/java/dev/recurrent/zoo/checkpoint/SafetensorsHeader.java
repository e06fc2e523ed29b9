package dev.recurrent.zoo.checkpoint;

import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.ScalarType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The header of a safetensors file: eight bytes of length, little-endian, then a JSON object of
 * that length which gives each tensor's type, shape and place, and optional metadata; the tensors'
 * bytes follow without holes or overlaps to the end of the file.
 *
 * @param tensors the tensors by name
 * @param metadata the metadata, empty if there is none
 */
record SafetensorsHeader(SortedMap<String, TensorInfo> tensors, Map<String, String> metadata) {

    /** The name of the header's entry that is not a tensor. */
    static final String METADATA = "__metadata__";

    /** The longest header, as in the reference implementation. */
    static final long MAX_LENGTH = 100_000_000;

    /** What libtorch iterates over at most. */
    private static final int MAX_DIMENSIONS = 64;

    private static final Map<String, ScalarType> TYPES = new LinkedHashMap<>();

    static {
        TYPES.put("BOOL", ScalarType.BOOL);
        TYPES.put("U8", ScalarType.UINT8);
        TYPES.put("I8", ScalarType.INT8);
        TYPES.put("I16", ScalarType.INT16);
        TYPES.put("I32", ScalarType.INT32);
        TYPES.put("I64", ScalarType.INT64);
        TYPES.put("F16", ScalarType.FLOAT16);
        TYPES.put("BF16", ScalarType.BFLOAT16);
        TYPES.put("F32", ScalarType.FLOAT32);
        TYPES.put("F64", ScalarType.FLOAT64);
    }

    /** Returns the name that safetensors gives a type. */
    static String nameOf(ScalarType type) {
        for (Map.Entry<String, ScalarType> entry : TYPES.entrySet()) {
            if (entry.getValue() == type) {
                return entry.getKey();
            }
        }
        throw new IllegalArgumentException("safetensors has no name for " + type);
    }

    /**
     * Reads and checks a file's header.
     *
     * @throws CheckpointException if a rule of the format is broken
     */
    static SafetensorsHeader read(Path file, FileChannel channel)
            throws IOException, CheckpointException {
        long size = channel.size();
        long dataStart = Long.BYTES + length(file, channel, size);
        Parser parser = new Parser(file, dataStart);
        StrictJson.parse(file, new FileRegion(channel, Long.BYTES, dataStart), parser::header);
        checkLayout(file, parser.tensors.values(), dataStart, size);
        return new SafetensorsHeader(
                Collections.unmodifiableSortedMap(parser.tensors),
                Collections.unmodifiableMap(parser.metadata));
    }

    private static long length(Path file, FileChannel channel, long size)
            throws IOException, CheckpointException {
        if (size <= Long.BYTES) {
            throw new CheckpointException(
                    file, null, "the file has " + size + " bytes; a header needs at least 10");
        }
        // The length and the first byte of the JSON text.
        ByteBuffer start = ByteBuffer.allocate(Long.BYTES + 1).order(ByteOrder.LITTLE_ENDIAN);
        while (start.hasRemaining() && channel.read(start, start.position()) >= 0) {}
        long length = start.getLong(0);
        if (length < 0 || length > MAX_LENGTH) {
            throw new CheckpointException(
                    file,
                    null,
                    "the header length is "
                            + Long.toUnsignedString(length)
                            + "; it may be at most "
                            + MAX_LENGTH);
        } else if (length > size - Long.BYTES) {
            throw new CheckpointException(
                    file,
                    null,
                    "the header length is "
                            + length
                            + ", but only "
                            + (size - Long.BYTES)
                            + " bytes follow it: is the file truncated?");
        } else if (length == 0 || start.get(Long.BYTES) != '{') {
            throw new CheckpointException(file, null, "the header must start with '{'");
        }
        return length;
    }

    /** Checks that the tensors cover the rest of the file exactly, each byte once. */
    private static void checkLayout(
            Path file, Iterable<TensorInfo> tensors, long dataStart, long size)
            throws CheckpointException {
        List<TensorInfo> order = new ArrayList<>();
        tensors.forEach(order::add);
        order.sort(Comparator.comparingLong(TensorInfo::begin).thenComparing(TensorInfo::end));
        long position = dataStart;
        for (TensorInfo tensor : order) {
            if (tensor.begin() != position) {
                String fault = tensor.begin() < position ? "overlaps another" : "follows a hole";
                throw new CheckpointException(
                        file,
                        tensor.name(),
                        String.format(
                                "its data %s: it begins at offset %d and must begin at %d",
                                fault, tensor.begin() - dataStart, position - dataStart));
            }
            position = tensor.end();
            if (position > size) {
                throw new CheckpointException(
                        file,
                        tensor.name(),
                        String.format(
                                "its data ends at offset %d, but the file holds %d bytes of data:"
                                        + " is the file truncated?",
                                position - dataStart, size - dataStart));
            }
        }
        if (position < size) {
            throw new CheckpointException(
                    file,
                    null,
                    (size - position) + " bytes follow the last tensor's data; none may");
        }
    }

    /** Collects what the header's JSON says, checking each tensor for itself. */
    private static final class Parser {

        private final Path file;
        private final long dataStart;
        private final SortedMap<String, TensorInfo> tensors = new TreeMap<>();
        private final Map<String, String> metadata = new LinkedHashMap<>();

        Parser(Path file, long dataStart) {
            this.file = file;
            this.dataStart = dataStart;
        }

        void header(StrictJson json) throws IOException, CheckpointException {
            json.object(
                    "the header",
                    name -> {
                        if (name.equals(METADATA)) {
                            metadata(json);
                        } else {
                            json.within(name);
                            tensors.put(name, tensor(json, name));
                            json.within(null);
                        }
                    });
        }

        private void metadata(StrictJson json) throws IOException, CheckpointException {
            json.object(
                    METADATA,
                    key -> {
                        String value = json.string("each value of " + METADATA);
                        metadata.put(key, value);
                    });
        }

        private TensorInfo tensor(StrictJson json, String name)
                throws IOException, CheckpointException {
            Entry entry = new Entry();
            json.object(
                    "a tensor's entry",
                    field -> {
                        switch (field) {
                            case "dtype" -> entry.dtype = json.string("dtype");
                            case "shape" -> entry.shape = json.naturals("shape", MAX_DIMENSIONS);
                            case "data_offsets" -> entry.offsets = json.naturals("data_offsets", 2);
                            default ->
                                    throw json.broken(
                                            "unknown field '"
                                                    + CheckpointException.abbreviate(field)
                                                    + "'; an entry has dtype, shape, data_offsets");
                        }
                    });
            return entry.check(json, file, name, dataStart);
        }
    }

    /** One tensor's entry; null is a field that is not there. */
    private static final class Entry {

        private String dtype;
        private long[] shape;
        private long[] offsets;

        TensorInfo check(StrictJson json, Path file, String name, long dataStart)
                throws CheckpointException {
            if (dtype == null || shape == null || offsets == null) {
                String missing = dtype == null ? "dtype" : shape == null ? "shape" : "data_offsets";
                throw json.broken("the field " + missing + " is missing");
            }
            ScalarType type = TYPES.get(dtype);
            if (type == null) {
                throw json.broken(
                        "dtype "
                                + CheckpointException.abbreviate(dtype)
                                + " is not supported; these are: "
                                + String.join(", ", TYPES.keySet()));
            }
            if (offsets.length != 2 || offsets[0] > offsets[1]) {
                throw json.broken(
                        "data_offsets is "
                                + Arrays.toString(offsets)
                                + "; it must be [begin, end] with begin ≤ end");
            }
            long bytes = bytes(json, type);
            if (bytes != offsets[1] - offsets[0]) {
                throw json.broken(
                        String.format(
                                "data_offsets %s span %d bytes, but %s of shape %s takes %d",
                                Arrays.toString(offsets),
                                offsets[1] - offsets[0],
                                dtype,
                                Arrays.toString(shape),
                                bytes));
            }
            if (offsets[1] > Long.MAX_VALUE - dataStart) {
                throw json.broken("data_offsets end beyond any file");
            }
            return new TensorInfo(
                    file,
                    name,
                    type,
                    new Shape(shape),
                    dataStart + offsets[0],
                    dataStart + offsets[1]);
        }

        /** The product of shape and element size; strides overflow too where it would with 1s. */
        private long bytes(StrictJson json, ScalarType type) throws CheckpointException {
            try {
                long extent = type.bytes();
                boolean empty = false;
                for (long dimension : shape) {
                    empty |= dimension == 0;
                    extent = Math.multiplyExact(extent, Math.max(1, dimension));
                }
                return empty ? 0 : extent;
            } catch (ArithmeticException e) {
                throw json.broken(
                        "shape " + Arrays.toString(shape) + " has more bytes than 2^63 − 1");
            }
        }
    }
}
