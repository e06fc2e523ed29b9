package dev.recurrent.tests.support;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Runs a test's main class in a process of its own, with this one's class path. */
public final class ForkedJvm {

    private static final long TIME_LIMIT_S = 120;

    private ForkedJvm() {}

    /**
     * What a process left.
     *
     * @param exit its exit status
     * @param output its standard output and error
     */
    public record Result(int exit, String output) {}

    /**
     * Starts a main class.
     *
     * @param prefix what goes before {@code java}, such as a shell that sets limits
     * @param options options of the JVM
     * @param main the class
     * @param arguments its arguments
     * @return the process, with standard error joined to its output
     * @throws IOException if it cannot be started
     */
    public static Process start(
            List<String> prefix, List<String> options, Class<?> main, String... arguments)
            throws IOException {
        List<String> command = new ArrayList<>(prefix);
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(options);
        command.add("-Dai.djl.pytorch.num_threads=2");
        command.add("-Dorg.slf4j.simpleLogger.defaultLogLevel=error");
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
        command.addAll(List.of(arguments));
        return new ProcessBuilder(command).redirectErrorStream(true).start();
    }

    /** Starts a main class and waits for its end. */
    public static Result run(List<String> options, Class<?> main, String... arguments)
            throws IOException, InterruptedException {
        return await(start(List.of(), options, main, arguments));
    }

    /** Waits for a process that prints little. */
    public static Result await(Process process) throws IOException, InterruptedException {
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (!process.waitFor(TIME_LIMIT_S, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new IllegalStateException("The process hung: " + output);
        }
        return new Result(process.exitValue(), output);
    }
}
