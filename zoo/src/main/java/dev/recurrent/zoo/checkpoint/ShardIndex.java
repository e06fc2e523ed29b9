package dev.recurrent.zoo.checkpoint;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * The index of a sharded checkpoint, {@code model.safetensors.index.json}: which file of its folder
 * holds which tensor.
 *
 * @param file the index
 * @param shards the names of the tensors that each file holds, by the file as the index names it
 */
record ShardIndex(Path file, SortedMap<String, SortedSet<String>> shards) {

    /** Bounds what a hostile index can make us hold; real ones have a hundred bytes a tensor. */
    private static final long MAX_LENGTH = SafetensorsHeader.MAX_LENGTH;

    /**
     * Reads an index.
     *
     * @throws CheckpointException if it is not an index
     */
    static ShardIndex read(Path file) throws IOException, CheckpointException {
        Map<String, String> files = new LinkedHashMap<>();
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            if (channel.size() > MAX_LENGTH) {
                throw new CheckpointException(
                        file,
                        null,
                        "the index has "
                                + channel.size()
                                + " bytes; it may have at most "
                                + MAX_LENGTH);
            }
            FileRegion text = new FileRegion(channel, 0, channel.size());
            StrictJson.parse(file, text, json -> read(json, files));
        }
        if (files.isEmpty()) {
            throw new CheckpointException(file, null, "weight_map is missing or names no tensor");
        }
        SortedMap<String, SortedSet<String>> shards = new TreeMap<>();
        files.forEach(
                (tensor, shard) ->
                        shards.computeIfAbsent(shard, key -> new TreeSet<>()).add(tensor));
        return new ShardIndex(file, shards);
    }

    private static void read(StrictJson json, Map<String, String> files)
            throws IOException, CheckpointException {
        json.object(
                "the index",
                key -> {
                    if (key.equals("weight_map")) {
                        json.object(
                                key,
                                tensor -> {
                                    json.within(tensor);
                                    files.put(tensor, json.string("the shard's name"));
                                    json.within(null);
                                });
                    } else {
                        json.skip();
                    }
                });
    }

    /**
     * Finds a shard.
     *
     * @param shard a key of {@link #shards}
     * @return the file
     * @throws CheckpointException if it does not lie in the index's folder, or not as a regular
     *     file
     */
    Path resolve(String shard) throws IOException, CheckpointException {
        Path folder = file.toAbsolutePath().getParent();
        String tensor = shards.get(shard).first();
        Path path;
        try {
            path = folder.resolve(shard).normalize();
        } catch (InvalidPathException e) {
            throw escapes(tensor, shard, e);
        }
        if (Path.of(shard).isAbsolute() || !path.startsWith(folder.normalize())) {
            throw escapes(tensor, shard, null);
        }
        try {
            if (!path.toRealPath().startsWith(folder.toRealPath())) {
                throw escapes(tensor, shard, null);
            }
        } catch (NoSuchFileException e) {
            throw new CheckpointException(
                    file, tensor, "its shard '" + shard + "' is not in the folder", e);
        } catch (FileSystemException e) {
            String rule = "its shard's name is one that the file system cannot follow";
            throw new CheckpointException(file, tensor, rule, e);
        }
        if (!Files.isRegularFile(path)) {
            throw new CheckpointException(
                    file, tensor, "its shard '" + shard + "' must be a regular file");
        }
        return path;
    }

    private CheckpointException escapes(String tensor, String shard, Throwable cause) {
        return new CheckpointException(
                file,
                tensor,
                "its shard '"
                        + CheckpointException.abbreviate(shard)
                        + "' must be a file inside the index's folder, not an absolute path,"
                        + " a path through '..', or a link that leads out",
                cause);
    }

    /**
     * Checks that a shard holds exactly the tensors that the index says.
     *
     * @throws CheckpointException naming the first that it lacks or has beside them
     */
    void check(String shard, Path path, SafetensorsHeader header) throws CheckpointException {
        SortedSet<String> promised = shards.get(shard);
        for (String name : promised) {
            if (!header.tensors().containsKey(name)) {
                throw new CheckpointException(
                        path, name, "the index says that it is here, but it is not");
            }
        }
        for (String name : header.tensors().keySet()) {
            if (!promised.contains(name)) {
                throw new CheckpointException(
                        path,
                        name,
                        "the index does not say that it is here: a file of another save?");
            }
        }
    }
}
