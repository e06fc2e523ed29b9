package dev.recurrent.zoo.checkpoint;

import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.ScalarType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** Collects what a header's JSON says, checking each tensor for itself. */
final class HeaderParser {

    /** What libtorch iterates over at most. */
    private static final int MAX_DIMENSIONS = 64;

    private final Path file;
    private final long dataStart;

    private final SortedMap<String, TensorInfo> tensors = new TreeMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();

    HeaderParser(Path file, long dataStart) {
        this.file = file;
        this.dataStart = dataStart;
    }

    void header(StrictJson json) throws IOException, CheckpointException {
        json.object(
                "the header",
                name -> {
                    if (name.equals(SafetensorsHeader.METADATA)) {
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
                SafetensorsHeader.METADATA,
                key -> {
                    String value = json.string("each value of " + SafetensorsHeader.METADATA);
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

    /** Returns the tensors, by name. */
    SortedMap<String, TensorInfo> tensors() {
        return tensors;
    }

    /** Returns the metadata, in the file's order. */
    Map<String, String> metadata() {
        return metadata;
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
            ScalarType type = Dtypes.type(dtype);
            if (type == null) {
                throw json.broken(
                        "dtype "
                                + CheckpointException.abbreviate(dtype)
                                + " is not supported; these are: "
                                + Dtypes.names());
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
                                Locale.ROOT,
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
