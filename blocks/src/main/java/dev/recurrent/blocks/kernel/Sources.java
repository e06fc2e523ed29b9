package dev.recurrent.blocks.kernel;

import dev.recurrent.blocks.cuda.KernelSource;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** The CUDA C++ beside these classes. */
public final class Sources {

    /** What all sources share. */
    private static final String PRELUDE = "scalars.cuh";

    private Sources() {}

    /**
     * Reads a source from this package's resources, and before it what all sources begin with and
     * the headers that it names.
     *
     * @param name the file's name
     * @param headers the names of further files, in order
     * @return the source
     * @throws IllegalArgumentException if there is no such resource
     */
    public static KernelSource of(String name, String... headers) {
        StringBuilder text = new StringBuilder(section(PRELUDE));
        for (String header : headers) {
            text.append(section(header));
        }
        return new KernelSource(name, text + section(name));
    }

    /** The compiler's messages count lines of the file. */
    private static String section(String name) {
        return "#line 1 \"" + name + "\"\n" + read(name);
    }

    private static String read(String name) {
        try (InputStream in = Sources.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalArgumentException("There is no kernel source " + name);
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException("Kernel source " + name + " cannot be read", e);
        }
    }
}
