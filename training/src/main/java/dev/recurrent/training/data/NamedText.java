package dev.recurrent.training.data;

import ai.djl.Application;
import ai.djl.basicdataset.BasicDatasets;
import ai.djl.repository.Artifact;
import ai.djl.repository.MRL;
import ai.djl.repository.Repository;
import ai.djl.training.dataset.Dataset.Usage;
import ai.djl.util.Utils;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;

/**
 * The language-modelling texts of DJL's basicdataset, downloaded into DJL's cache the first time.
 *
 * <p>DJL's own {@code WikiText2} returns no batches, and its {@code PennTreebankText} embeds words;
 * here both are the files they come in.
 */
public enum NamedText {

    /** WikiText-2 (Merity et al. 2016), words with {@code <unk>}: one document a part. */
    WIKITEXT_2(
            "wikitext-2",
            "wikitext-2",
            Map.of(
                    Usage.TRAIN, new Place("wikitext-2", "wikitext-2/wiki.train.tokens"),
                    Usage.VALIDATION, new Place("wikitext-2", "wikitext-2/wiki.valid.tokens"),
                    Usage.TEST, new Place("wikitext-2", "wikitext-2/wiki.test.tokens"))),

    /** Penn Treebank as Mikolov et al. (2010) prepared it: one document a part. */
    PENN_TREEBANK(
            "penn-treebank",
            "penntreebank-unlabeled-processed",
            Map.of(
                    Usage.TRAIN, new Place("train", ""),
                    Usage.VALIDATION, new Place("valid", ""),
                    Usage.TEST, new Place("test", "")));

    /** An item of DJL's artifact, and the file in it where it is an archive. */
    private record Place(String item, String file) {}

    private static final String VERSION = "1.0";

    private final String text;
    private final String artifactId;
    private final Map<Usage, Place> places;

    NamedText(String text, String artifactId, Map<Usage, Place> places) {
        this.text = text;
        this.artifactId = artifactId;
        this.places = places;
    }

    /** Returns the name by which {@code --data} knows it. */
    public String text() {
        return text;
    }

    /**
     * Finds a text by its name.
     *
     * @param text such as {@code wikitext-2}
     * @return the text; empty if there is none of that name
     */
    public static Optional<NamedText> of(String text) {
        return Arrays.stream(values()).filter(known -> known.text.equals(text)).findFirst();
    }

    /**
     * Returns where a part lies, after downloading it if need be.
     *
     * @param usage which part
     * @return a UTF-8 text file
     * @throws DataException if it is not in DJL's cache and cannot be downloaded
     */
    public Path path(Usage usage) throws DataException {
        return path(usage, BasicDatasets.REPOSITORY);
    }

    /**
     * Returns where a part lies, after fetching it from a repository of the user's own if need be.
     *
     * @param usage which part
     * @param repository a repository laid out as DJL's
     * @return a UTF-8 text file
     * @throws DataException if it cannot be fetched
     */
    public Path path(Usage usage, Repository repository) throws DataException {
        MRL mrl =
                repository.dataset(
                        Application.NLP.ANY, BasicDatasets.GROUP_ID, artifactId, VERSION);
        try {
            boolean offline = repository.isRemote() && Utils.isOfflineMode();
            if (offline && !Files.exists(metadata(mrl))) {
                throw unavailable("DJL_OFFLINE is set", null);
            }
            Artifact artifact = mrl.getDefaultArtifact();
            if (artifact == null) {
                throw unavailable(repository.getBaseUri() + " does not list it", null);
            }
            if (offline && !mrl.isPrepared(artifact)) {
                throw unavailable("DJL_OFFLINE is set", null);
            }
            mrl.prepare(artifact);
            Place place = places.get(usage);
            Artifact.Item item = artifact.getFiles().get(place.item());
            return repository.getFile(item, place.file()).toAbsolutePath();
        } catch (DataException e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            throw unavailable(e.toString(), e);
        }
    }

    /** DJL's repositories look for this file in their cache, but not at DJL_OFFLINE. */
    private static Path metadata(MRL mrl) throws IOException {
        Path cache = mrl.getRepository().getCacheDirectory();
        return cache.resolve(mrl.toURI().getPath()).resolve("metadata.json");
    }

    private DataException unavailable(String reason, Exception cause) {
        return new DataException(
                "The text '"
                        + text
                        + "' is not in DJL's cache and cannot be downloaded: "
                        + reason
                        + "; fetch it once while online, or name text files of your own",
                cause);
    }
}
