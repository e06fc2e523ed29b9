package dev.recurrent.zoo.checkpoint;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.Torch;
import java.io.EOFException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * An open checkpoint: a safetensors file, or a folder with {@code model.safetensors} or with shards
 * and their index {@code model.safetensors.index.json}.
 *
 * <p>Opening reads and checks every header; the tensors' bytes are read when they are asked for.
 * Safe for concurrent use, one read at a time.
 *
 * <p>The format: <a href="https://github.com/huggingface/safetensors#format">safetensors</a>. This
 * reader is stricter than the reference: numbers are plain integers, entries have no further
 * fields, and no JSON key occurs twice.
 */
public final class Checkpoint implements AutoCloseable {

    /** The file of an undivided checkpoint in its folder. */
    public static final String MODEL_FILE = "model.safetensors";

    /** The index of a sharded checkpoint in its folder. */
    public static final String INDEX_FILE = "model.safetensors.index.json";

    private final Path path;
    private final Map<Path, FileChannel> channels = new LinkedHashMap<>();
    private final SortedMap<String, TensorInfo> tensors = new TreeMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();
    private PieceBuffer buffer;

    private Checkpoint(Path path) {
        this.path = path;
    }

    /**
     * Opens a checkpoint.
     *
     * @param fileOrFolder a safetensors file or a model's folder; in a folder {@link #MODEL_FILE}
     *     goes before {@link #INDEX_FILE}
     * @return the checkpoint
     * @throws CheckpointException if a rule of the format is broken
     * @throws NoSuchFileException if there is no checkpoint
     * @throws IOException if reading fails
     */
    public static Checkpoint open(Path fileOrFolder) throws IOException, CheckpointException {
        Path file = locate(fileOrFolder);
        Checkpoint checkpoint = new Checkpoint(file);
        try {
            if (file.endsWith(INDEX_FILE)) {
                checkpoint.addShards(ShardIndex.read(file));
            } else {
                checkpoint.add(file);
            }
            return checkpoint;
        } catch (IOException | CheckpointException | RuntimeException | Error e) {
            checkpoint.close();
            throw e;
        }
    }

    private static Path locate(Path path) throws NoSuchFileException, CheckpointException {
        Path file = path;
        if (Files.isDirectory(path)) {
            Path whole = path.resolve(MODEL_FILE);
            file = Files.exists(whole) ? whole : path.resolve(INDEX_FILE);
            if (!Files.exists(file)) {
                throw new NoSuchFileException(
                        path.toString(),
                        null,
                        "the folder has neither " + MODEL_FILE + " nor " + INDEX_FILE);
            }
        } else if (!Files.exists(path)) {
            throw new NoSuchFileException(path.toString());
        }
        if (!Files.isRegularFile(file)) {
            throw new CheckpointException(file, null, "a checkpoint must be a regular file");
        }
        return file;
    }

    private void addShards(ShardIndex index) throws IOException, CheckpointException {
        for (String shard : index.shards().keySet()) {
            Path file = index.resolve(shard);
            index.check(shard, file, add(file));
        }
    }

    private SafetensorsHeader add(Path file) throws IOException, CheckpointException {
        FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
        FileChannel other = channels.put(file, channel);
        if (other != null) {
            other.close();
        }
        SafetensorsHeader header = SafetensorsHeader.read(file, channel);
        tensors.putAll(header.tensors());
        header.metadata().forEach(metadata::putIfAbsent);
        return header;
    }

    /** Returns the checkpoint's file: the safetensors file, or the index of the shards. */
    public Path path() {
        return path;
    }

    /** Returns what the files say of each tensor, by name. */
    public SortedMap<String, TensorInfo> tensors() {
        return Collections.unmodifiableSortedMap(tensors);
    }

    /** Returns the metadata, of shards the first that has each key; empty if there is none. */
    public Map<String, String> metadata() {
        return Collections.unmodifiableMap(metadata);
    }

    /**
     * Returns what the file says of one tensor.
     *
     * @param name its name
     * @return its type, shape and place
     * @throws CheckpointException if there is no such tensor
     */
    public TensorInfo tensor(String name) throws CheckpointException {
        TensorInfo info = tensors.get(name);
        if (info == null) {
            throw new CheckpointException(path, name, "the checkpoint has no such tensor");
        }
        return info;
    }

    /**
     * Copies a tensor into an existing one, on any device, converting floating types to floating
     * types and integers to any number; bfloat16 widens exactly.
     *
     * @param name the tensor in the checkpoint
     * @param target what is overwritten, of the same shape but for dimensions of one; autograd does
     *     not record it
     * @throws CheckpointException if there is no such tensor, or its shape or type does not fit;
     *     the target is unchanged then
     * @throws IOException if reading fails; the target's contents are undefined then
     */
    public void read(String name, NDArray target) throws IOException, CheckpointException {
        TensorInfo info = tensor(name);
        read(info, info.shape(), 0, target);
    }

    /**
     * Copies some of a tensor's rows (the first dimension) into an existing tensor, as {@link
     * #read(String, NDArray)} does.
     *
     * @param name the tensor in the checkpoint, of shape [R, ...]
     * @param firstRow the first row to copy
     * @param rows how many to copy
     * @param target what is overwritten, of shape [rows, ...] but for dimensions of one
     * @throws CheckpointException if there is no such tensor or row, or the shape or type does not
     *     fit; the target is unchanged then
     * @throws IOException if reading fails; the target's contents are undefined then
     */
    public void read(String name, long firstRow, long rows, NDArray target)
            throws IOException, CheckpointException {
        TensorInfo info = tensor(name);
        Shape shape = info.shape();
        long available = shape.dimension() == 0 ? 0 : shape.get(0);
        if (firstRow < 0 || rows < 0 || firstRow > available - rows) {
            throw new CheckpointException(
                    info.file(),
                    name,
                    String.format(
                            Locale.ROOT,
                            "rows %d to %d were asked for, but its shape is %s",
                            firstRow,
                            firstRow + rows,
                            shape));
        }
        long offset = available == 0 ? 0 : info.bytes() / available * firstRow;
        Shape wanted = shape.dimension() == 0 ? shape : new Shape(rows).addAll(shape.slice(1));
        read(info, wanted, offset, target);
    }

    /**
     * Loads a tensor.
     *
     * @param manager the manager that will own it, and whose device holds it
     * @param name its name
     * @return the tensor in its own type, but bfloat16 as float32
     * @throws CheckpointException if there is no such tensor
     * @throws IOException if reading fails
     */
    public NDArray load(NDManager manager, String name) throws IOException, CheckpointException {
        TensorInfo info = tensor(name);
        ScalarType type = info.type() == ScalarType.BFLOAT16 ? ScalarType.FLOAT32 : info.type();
        NDArray tensor = Torch.empty(manager, info.shape(), type, manager.getDevice());
        try {
            read(info, info.shape(), 0, tensor);
        } catch (IOException | CheckpointException | RuntimeException e) {
            tensor.close();
            throw e;
        }
        tensor.setName(name);
        return tensor;
    }

    /** Reads {@code shape} of a tensor's elements from {@code offset} bytes after its start. */
    private void read(TensorInfo info, Shape shape, long offset, NDArray target)
            throws IOException, CheckpointException {
        checkFits(info, shape, target);
        if (shape.size() == 0) {
            return;
        }
        try (NDManager scratch = target.getManager().newSubManager()) {
            NDArray leaf = Torch.detach(scratch, target);
            NDArray flat = PieceBuffer.flatten(scratch, leaf);
            if (TensorMemory.address(flat) == TensorMemory.address(leaf)) {
                readDense(info, offset, flat);
            } else {
                // The target has gaps, and flat is a copy.
                ScalarType type = Torch.typeOf(leaf);
                NDArray dense = Torch.empty(scratch, leaf.getShape(), type, leaf.getDevice());
                readDense(info, offset, PieceBuffer.flatten(scratch, dense));
                Torch.copyInto(leaf, dense);
            }
        }
    }

    private synchronized void readDense(TensorInfo info, long offset, NDArray target)
            throws IOException, CheckpointException {
        if (buffer == null) {
            buffer =
                    new PieceBuffer(
                            tensors.values().stream().mapToLong(TensorInfo::bytes).max().orElse(0));
        }
        FileChannel channel = channels.get(info.file());
        try {
            buffer.read(channel, info.begin() + offset, info.type(), target);
        } catch (EOFException e) {
            throw new CheckpointException(
                    info.file(), info.name(), "the file was truncated after it was opened", e);
        }
    }

    private static void checkFits(TensorInfo info, Shape shape, NDArray target)
            throws CheckpointException {
        if (!Arrays.equals(squeeze(shape), squeeze(target.getShape()))) {
            throw new CheckpointException(
                    info.file(),
                    info.name(),
                    "its shape is " + shape + " where " + target.getShape() + " is needed");
        }
        ScalarType type = Torch.typeOf(target);
        if (kind(info.type()) > kind(type) || (kind(info.type()) == 0) != (kind(type) == 0)) {
            throw new CheckpointException(
                    info.file(),
                    info.name(),
                    "its type is " + info.type() + ", which does not convert to " + type);
        }
    }

    private static long[] squeeze(Shape shape) {
        return Arrays.stream(shape.getShape()).filter(dimension -> dimension != 1).toArray();
    }

    /** 0 for truth values, which stand alone; 1 for integers; 2 for floating point. */
    private static int kind(ScalarType type) {
        return switch (type) {
            case BOOL -> 0;
            case UINT8, INT8, INT16, INT32, INT64 -> 1;
            case FLOAT16, BFLOAT16, FLOAT32, FLOAT64 -> 2;
        };
    }

    @Override
    public void close() throws IOException {
        IOException failure = null;
        for (FileChannel channel : channels.values()) {
            try {
                channel.close();
            } catch (IOException e) {
                failure = e;
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
