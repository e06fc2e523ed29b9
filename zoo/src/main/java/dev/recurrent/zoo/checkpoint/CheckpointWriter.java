package dev.recurrent.zoo.checkpoint;

import com.google.gson.stream.JsonWriter;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TorchException;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * Saves tensors as safetensors, as Python reads them: one file, or shards with an index.
 *
 * <p>A save takes effect in one step, whatever was there: until then, and if the writer is killed
 * or fails, the folder loads as it did before. What takes effect is the move of {@code
 * model.safetensors} or of the index into its place, or, where shards replace one whole file, that
 * file's deletion, since readers prefer it. Shards never overwrite those that the present index
 * names: they get names of their own if need be, and the old ones are deleted at the end.
 *
 * <p>Only one writer may be at work in a folder.
 */
public final class CheckpointWriter {

    /** The size of shards that transformers wrote for years. */
    public static final long DEFAULT_SHARD_BYTES = 5_000_000_000L;

    /** Shards of any save, by name. */
    private static final Pattern SHARD =
            Pattern.compile("model-(\\d+-)?\\d{5}-of-\\d{5}\\.safetensors");

    private final ScalarType floatType;
    private final long maxShardBytes;

    /**
     * Constructs a writer of files up to {@link #DEFAULT_SHARD_BYTES}.
     *
     * @param floatType the type in the file of all floating-point tensors; others keep theirs
     */
    public CheckpointWriter(ScalarType floatType) {
        this(floatType, DEFAULT_SHARD_BYTES);
    }

    /**
     * Constructs a writer.
     *
     * @param floatType the type in the file of all floating-point tensors; others keep theirs
     * @param maxShardBytes what the tensors of one file may add up to, unless it holds but one
     * @throws IllegalArgumentException if the type is not a floating one, or the size not positive
     */
    public CheckpointWriter(ScalarType floatType, long maxShardBytes) {
        if (!Dtypes.isFloat(floatType)) {
            throw new IllegalArgumentException(
                    floatType + " is not a floating-point type; use FLOAT32, BFLOAT16 or FLOAT16");
        }
        if (maxShardBytes <= 0) {
            throw new IllegalArgumentException(
                    "maxShardBytes is " + maxShardBytes + "; it must be positive");
        }
        this.floatType = floatType;
        this.maxShardBytes = maxShardBytes;
    }

    /**
     * Saves a model's tensors in its folder, as {@link Checkpoint#MODEL_FILE}, or as shards and
     * {@link Checkpoint#INDEX_FILE} if they are too many for one file. Earlier weights there, whole
     * or in shards, are replaced.
     *
     * @param folder the model's folder, created if need be
     * @param tensors the tensors by name
     * @throws CheckpointSaveException if it fails; earlier weights are kept then
     */
    public void write(Path folder, Map<String, TensorSlices> tensors)
            throws CheckpointSaveException {
        List<SafetensorsLayout> shards = divide(tensors);
        try {
            Files.createDirectories(folder);
            AtomicFiles.deleteLeftovers(folder);
            if (shards.size() == 1) {
                writeWhole(folder, shards.get(0));
            } else {
                writeShards(folder, shards);
            }
        } catch (IOException | TorchException e) {
            throw new CheckpointSaveException(folder, e);
        }
    }

    /**
     * Saves tensors as one file, whatever their size.
     *
     * @param file the file, replaced if it exists
     * @param tensors the tensors by name
     * @throws CheckpointSaveException if it fails; the old file is kept then
     */
    public void writeFile(Path file, Map<String, TensorSlices> tensors)
            throws CheckpointSaveException {
        SafetensorsLayout layout = new SafetensorsLayout(entries(tensors));
        try {
            AtomicFiles.write(file, layout);
        } catch (IOException | TorchException e) {
            throw new CheckpointSaveException(file, e);
        }
    }

    private List<SafetensorsLayout.Entry> entries(Map<String, TensorSlices> tensors) {
        if (tensors.containsKey(SafetensorsHeader.METADATA)) {
            throw new IllegalArgumentException(
                    "A tensor cannot be called " + SafetensorsHeader.METADATA);
        }
        List<SafetensorsLayout.Entry> entries = new ArrayList<>();
        new TreeMap<>(tensors)
                .forEach(
                        (name, slices) -> {
                            ScalarType type = slices.type();
                            entries.add(
                                    new SafetensorsLayout.Entry(
                                            name, Dtypes.isFloat(type) ? floatType : type, slices));
                        });
        return entries;
    }

    /** Fills one file after the other, in the order of names. */
    private List<SafetensorsLayout> divide(Map<String, TensorSlices> tensors) {
        List<SafetensorsLayout> shards = new ArrayList<>();
        List<SafetensorsLayout.Entry> shard = new ArrayList<>();
        long bytes = 0;
        for (SafetensorsLayout.Entry entry : entries(tensors)) {
            if (!shard.isEmpty() && bytes + entry.bytes() > maxShardBytes) {
                shards.add(new SafetensorsLayout(shard));
                shard = new ArrayList<>();
                bytes = 0;
            }
            shard.add(entry);
            bytes += entry.bytes();
        }
        shards.add(new SafetensorsLayout(shard));
        return shards;
    }

    private static void writeWhole(Path folder, SafetensorsLayout layout) throws IOException {
        AtomicFiles.write(folder.resolve(Checkpoint.MODEL_FILE), layout);
        Files.deleteIfExists(folder.resolve(Checkpoint.INDEX_FILE));
        AtomicFiles.deleteMatching(folder, SHARD, Set.of());
        AtomicFiles.syncFolder(folder);
    }

    private static void writeShards(Path folder, List<SafetensorsLayout> shards)
            throws IOException {
        Path index = folder.resolve(Checkpoint.INDEX_FILE);
        List<String> names = names(shards.size(), namedBy(index));
        try {
            for (int i = 0; i < shards.size(); i++) {
                AtomicFiles.write(folder.resolve(names.get(i)), shards.get(i));
            }
            AtomicFiles.writeString(index, json(names, shards));
        } finally {
            deleteUnless(namedBy(index), folder, names);
        }
        Files.deleteIfExists(folder.resolve(Checkpoint.MODEL_FILE));
        AtomicFiles.syncFolder(folder);
        AtomicFiles.deleteMatching(folder, SHARD, Set.copyOf(names));
    }

    /** Gives back the space of a save that failed before its index was in place. */
    private static void deleteUnless(Set<String> kept, Path folder, List<String> names)
            throws IOException {
        for (String name : names) {
            if (!kept.contains(name)) {
                Files.deleteIfExists(folder.resolve(name));
            }
        }
    }

    /** Returns the shards that must not be touched before the index is replaced. */
    private static Set<String> namedBy(Path index) throws IOException {
        try {
            return Files.exists(index) ? ShardIndex.read(index).shards().keySet() : Set.of();
        } catch (CheckpointException e) {
            // No reader can use it.
            return Set.of();
        }
    }

    /** Returns Python's names, with a number inserted if the present index uses one of them. */
    private static List<String> names(int count, Set<String> taken) {
        String prefix = "model-";
        for (int save = 2; ; save++) {
            List<String> names = new ArrayList<>();
            for (int i = 1; i <= count; i++) {
                names.add(
                        String.format(Locale.ROOT, "%s%05d-of-%05d.safetensors", prefix, i, count));
            }
            if (Collections.disjoint(names, taken)) {
                return names;
            }
            prefix = "model-" + save + "-";
        }
    }

    private static String json(List<String> names, List<SafetensorsLayout> shards)
            throws IOException {
        SortedMap<String, String> files = new TreeMap<>();
        for (int i = 0; i < names.size(); i++) {
            for (SafetensorsLayout.Entry entry : shards.get(i).entries()) {
                files.put(entry.name(), names.get(i));
            }
        }
        StringWriter text = new StringWriter();
        JsonWriter json = new JsonWriter(text);
        json.setIndent("  ");
        json.beginObject();
        json.name("metadata").beginObject();
        json.name("total_size");
        json.value(shards.stream().mapToLong(SafetensorsLayout::bytes).sum());
        json.endObject();
        json.name("weight_map").beginObject();
        for (Map.Entry<String, String> entry : files.entrySet()) {
            json.name(entry.getKey()).value(entry.getValue());
        }
        json.endObject();
        json.endObject();
        return text.append('\n').toString();
    }
}
