package dev.recurrent.zoo;

import ai.djl.Application;
import ai.djl.repository.Artifact;
import ai.djl.repository.MRL;
import ai.djl.repository.Metadata;
import ai.djl.repository.Repository;
import ai.djl.util.Progress;
import dev.recurrent.zoo.preset.Preset;
import dev.recurrent.zoo.preset.Presets;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** The presets as DJL sees them: one artifact a size, without files. */
final class PresetRepository implements Repository {

    /** The artifact ids. */
    static final List<String> ENTRIES =
            List.of(
                    "delta-net",
                    "delta-net-swa",
                    "delta-net-global",
                    "gated-deltanet",
                    "gated-deltanet-h1",
                    "gated-deltanet-h2",
                    "mamba2",
                    "hawk",
                    "griffin",
                    "mqa-transformer");

    private static final String VERSION = "1.0.0";
    private static final Application APPLICATION = Application.NLP.TEXT_GENERATION;

    /** Names an entry. */
    MRL entry(String artifactId) {
        return model(APPLICATION, RecurrentModelZoo.GROUP_ID, artifactId, VERSION);
    }

    @Override
    public Metadata locate(MRL mrl) {
        Metadata metadata = new Metadata();
        metadata.setGroupId(mrl.getGroupId());
        metadata.setArtifactId(mrl.getArtifactId());
        metadata.setApplication(mrl.getApplication());
        metadata.setArtifacts(
                Presets.of(mrl.getArtifactId()).stream().map(PresetRepository::artifact).toList());
        metadata.init(Map.of());
        return metadata;
    }

    private static Artifact artifact(Preset preset) {
        Artifact artifact = new Artifact();
        artifact.setName(preset.artifactId() + "-" + preset.size());
        artifact.setVersion(VERSION);
        artifact.setProperties(Map.of("size", preset.size()));
        artifact.setFiles(Map.of());
        return artifact;
    }

    @Override
    public Artifact resolve(MRL mrl, Map<String, String> filter) {
        return locate(mrl).getArtifacts().stream()
                .filter(artifact -> artifact.hasProperties(filter))
                .findFirst()
                .orElse(null);
    }

    @Override
    public boolean isRemote() {
        return false;
    }

    @Override
    public String getName() {
        return RecurrentModelZoo.GROUP_ID;
    }

    @Override
    public URI getBaseUri() {
        return URI.create("preset:/");
    }

    @Override
    public void prepare(Artifact artifact, Progress progress) {
        // Nothing to fetch.
    }

    @Override
    public InputStream openStream(Artifact.Item item, String path) throws IOException {
        throw noFiles();
    }

    @Override
    public Path getFile(Artifact.Item item, String path) throws IOException {
        throw noFiles();
    }

    @Override
    public String[] listDirectory(Artifact.Item item, String path) throws IOException {
        throw noFiles();
    }

    @Override
    public Path getCacheDirectory() throws IOException {
        throw noFiles();
    }

    private static IOException noFiles() {
        return new IOException("Presets have no files");
    }

    @Override
    public List<MRL> getResources() {
        return ENTRIES.stream().map(this::entry).toList();
    }

    @Override
    public void addResource(MRL mrl) {
        throw new UnsupportedOperationException("The presets are fixed");
    }
}
