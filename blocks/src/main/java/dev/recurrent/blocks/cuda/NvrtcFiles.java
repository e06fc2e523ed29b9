package dev.recurrent.blocks.cuda;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Where NVRTC may lie: beside PyTorch's libraries (DJL's own download), in the {@code nvidia}
 * packages that Python's PyTorch brings, or where the system keeps CUDA.
 */
final class NvrtcFiles {

    private static final Pattern COMPILER =
            Pattern.compile(
                    "libnvrtc(-[0-9a-f]+)?\\.so[.0-9]*|nvrtc64_[0-9_]+\\.dll",
                    Pattern.CASE_INSENSITIVE);
    private static final Pattern BUILTINS =
            Pattern.compile(
                    "libnvrtc-builtins(-[0-9a-f]+)?\\.so[.0-9]*|nvrtc-builtins64_[0-9]+\\.dll",
                    Pattern.CASE_INSENSITIVE);

    /** Below site-packages: nvidia/cu13/lib/libnvrtc.so.13, nvidia/cuda_nvrtc/lib/…. */
    private static final int PACKAGE_DEPTH = 3;

    private NvrtcFiles() {}

    /**
     * Returns NVRTC's files, those that fit PyTorch best first.
     *
     * @param torch a library of PyTorch's, links followed to find what lies beside it
     * @param searchPath folders of the system, separated as in a path
     * @return existing files
     */
    static List<Path> find(Path torch, String searchPath) {
        List<Path> found = new ArrayList<>();
        for (Path library : List.of(torch, real(torch))) {
            Path folder = library.toAbsolutePath().getParent();
            found.addAll(list(folder, 1, COMPILER));
            // torch/lib → site-packages/nvidia
            found.addAll(list(folder.resolve("../../nvidia").normalize(), PACKAGE_DEPTH, COMPILER));
        }
        for (String folder : searchPath.split(Pattern.quote(File.pathSeparator))) {
            if (!folder.isBlank()) {
                found.addAll(list(Path.of(folder), 1, COMPILER));
            }
        }
        return found.stream().distinct().toList();
    }

    /** Returns the libraries that a compiler opens by name, which needs them loaded before it. */
    static List<Path> builtins(Path compiler) {
        return list(real(compiler).getParent(), 1, BUILTINS);
    }

    private static Path real(Path file) {
        try {
            return file.toRealPath();
        } catch (IOException e) {
            return file;
        }
    }

    private static List<Path> list(Path folder, int depth, Pattern pattern) {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.find(folder, depth, (file, what) -> true)) {
            return files.filter(file -> pattern.matcher(file.getFileName().toString()).matches())
                    .sorted()
                    .toList();
        } catch (IOException | UncheckedIOException e) {
            return List.of();
        }
    }
}
