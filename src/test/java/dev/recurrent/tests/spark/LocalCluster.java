package dev.recurrent.tests.spark;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.serializer.KryoSerializer;

/** Spark's master and worker in this JVM, and two executors in JVMs of their own. */
final class LocalCluster implements AutoCloseable {

    /** A thread each: executors share two cores, and products of parts may be rounded otherwise. */
    static final int THREADS = 1;

    static final String EXECUTOR_OPTIONS =
            "-Dai.djl.pytorch.num_threads="
                    + THREADS
                    + " -Dorg.slf4j.simpleLogger.defaultLogLevel=error";

    private final Map<String, String> settings = new TreeMap<>();
    private final JavaSparkContext context;

    /**
     * Starts the cluster.
     *
     * @param home an empty folder, for what Spark looks for in a distribution
     */
    LocalCluster(Path home) throws IOException {
        prepare(home);
        // With these executors run on the class path of this JVM.
        set("spark.testing", "true");
        set("spark.test.home", home.toString());
        SparkConf conf =
                new SparkConf()
                        .setMaster("local-cluster[2,1,512]")
                        .setAppName("test")
                        .setSparkHome(home.toString())
                        .set("spark.ui.enabled", "false")
                        .set("spark.executor.memory", "512m")
                        // The pickier serialiser: it knows neither records nor immutable lists.
                        .set("spark.serializer", KryoSerializer.class.getName())
                        .set("spark.driver.host", "localhost")
                        .set("spark.driver.bindAddress", "127.0.0.1")
                        .set("spark.executor.extraJavaOptions", EXECUTOR_OPTIONS);
        context = new JavaSparkContext(conf);
    }

    /** Lays out a folder as Spark wants its distribution's. */
    static void prepare(Path home) throws IOException {
        Files.createDirectories(home.resolve("jars"));
        Files.createDirectories(home.resolve("launcher/target/scala-2.13"));
    }

    private void set(String name, String value) {
        settings.put(name, System.getProperty(name, ""));
        System.setProperty(name, value);
    }

    JavaSparkContext context() {
        return context;
    }

    /** Stops the cluster; this JVM is as it was. */
    @Override
    public void close() {
        context.close();
        settings.forEach(
                (name, value) -> {
                    if (value.isEmpty()) {
                        System.clearProperty(name);
                    } else {
                        System.setProperty(name, value);
                    }
                });
    }
}
