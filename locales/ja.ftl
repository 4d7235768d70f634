### この画面が来場者に話すことば（日本語）。
### 見出しの改行位置は、文節の間のゼロ幅スペース（U+200B）で決まります。

language-name = 日本語
languages = 言語
demo = デモ（模擬サービス）

waking-title = 少々​お待ちください
waking-line = ステージを準備しています。
lost-retry = もう一度試す

attract-title = 自分に、​会おう。
attract-line = コードを読み取り、スマホで顔を撮影。あなたがここで動き出します。
attract-start = はじめる
attract-any =
    { $device ->
        [gamepad] どのボタンでもはじめられます
        [keyboard] どのキーでもはじめられます
        [touch] どこをタッチしてもはじめられます
       *[pointer] どこをクリックしてもはじめられます
    }

closed-staff =
    { $device ->
        [gamepad] スタッフの方へ：Start と Select の長押しで設定を開けます。
        [keyboard] スタッフの方へ：F10 キーで設定を開けます。
        [touch] スタッフの方へ：画面の左上を 5 回タッチすると設定を開けます。
       *[pointer] スタッフの方へ：F10 キー、または画面の左上を 5 回タッチで設定を開けます。
    }

consent-title = はじめる​前に
consent-agree = 同意する
consent-not-now = 今はやめる

preparing-title = 少々​お待ちください
preparing-line = あなた専用のコードを用意しています。
invite-title = スマホで​読み取ってください
invite-demo-title = スマホなしで​試せます
invite-step-1 = スマホのカメラをコードに向けます。
invite-step-2 = 顔を撮影するか、お持ちのアバターを選びます。
invite-step-3 = この画面に戻って、動き出す瞬間をご覧ください。
invite-qr = スマホで読み取るコード
invite-no-camera = カメラがないときは、スマホでここを開いてください
invite-time-left = このコードの有効時間はあと { $clock }
invite-expired-title = コードの​期限が​切れました
invite-expired-line = ご安心ください。新しいコードはすぐに出せます。
invite-new-code = 新しいコード
invite-play-phone = スマホなしで試す
invite-phones-cannot = このデモには、まだスマホからつながりません。代わりに、この画面でスマホの操作を試せます。
invite-phones-can = このネットワークのスマホから { $address } でデモを開けます。

making-found-title = つながりました！
making-found-line = スマホと接続しました。こちらをご覧ください。
making-found = 接続済み
making-queue-title = 順番を​お待ちください
making-queue-line = 撮影データが届きました。ここでお待ちください。
making-queue-next = 次があなたの番です
making-queue-place = { $place } 番目です
making-processing-title = アバターを​作っています
making-processing-line = 顔のすみずみまで形にしています。
making-processing-done = 完了
making-failed-title = うまく​撮影できませんでした
making-failed-line = よくあることです。コードを読み取り、明るいほうを向いて、動かずにもう一度撮影してください。
making-failed-line-demo = よくあることです。もう一度スマホの操作を試して、撮影し直してください。
making-unknown-title = アバターを​準備しています
making-unknown-line = スタジオからの連絡：「{ $status }」
making-left = あと { $time }ほど
making-left-soon = あと数秒です
making-turn = あと { $time }ほどで順番です
making-turn-soon = まもなく順番です
making-stalled = 少し時間がかかっています。作業は続いています。
making-queue-stalled = 列が少し止まっています。順番はそのままです。

saving-title = アバターが​届きます
saving-line = 完成しました。ファイルをこの画面に取り込んでいます。
saving-all = すべてのファイル
saving-so-far = { $amount } 受信
saving-of-all = { $amount } / { $all }
saving-whole = { $amount } 完了
saving-left-open = 残り時間を計算しています…
saving-more = ほか { $count } 件
saving-stalled = 通信に時間がかかっています。このままお待ちください。

gate-title = アバターが​できました
gate-line = ご自分のアバターでしたら、どうぞご覧ください。それまでは表示されません。
gate-show = 表示する
gate-not-mine = わたしのではない

reveal-title = これが、​あなたです。
reveal-title-portrait = あなたの​ポートレート
reveal-title-card = アバターを​保存しました
reveal-turn =
    { $device ->
        [gamepad] 右スティックで回せます。
        [keyboard] Shift と矢印キーで回せます。
        [touch] スワイプで回せます。
       *[pointer] ドラッグで回せます。
    }
reveal-lighting = ライトを​つけています…
reveal-canvas = 光の中で回るあなたのアバター
reveal-portrait = あなたのアバターのポートレート
reveal-me = これがわたし
reveal-again = もう一度作る
reveal-faces = 表情を変える
reveal-welcome-title = はじめまして！
reveal-welcome-line = アバターは保存されました。ここから、あなたが主役のゲームが始まります。
reveal-welcome-line-unsaved = ここから、あなたが主役のゲームが始まります。
reveal-finish = おわる
face-smile = 笑顔
face-wink = ウインク
face-surprise = びっくり
face-kiss = キス
face-frown = 怒り顔

keep-for-ever = アバターはこの端末に保存されたままになります。
keep-while-here = この画面を離れると、この端末から削除されます。
keep-until-finished = 終了するか作り直すと、この端末から削除されます。
keep-hours = { $count } 時間後に、この端末から削除されます。
keep-days = { $count } 日後に、この端末から削除されます。
forget-me = 記録を消す
forget-title = 記録を​消しますか？
forget-ask = 今回のファイルと履歴を、この端末から削除します。元に戻すことはできません。
forget-keep = 残しておく
forget-yes = はい、消します
forgetting-title = 消しています…
forgetting-line = 今回のファイルと履歴を削除しています。
forgotten-title = すべて​消しました
forgotten-line = あなたの記録は、もうここにはありません。
forget-failed-title = 一部を​削除できませんでした
forget-failed-line = 恐れ入りますが、スタッフにお知らせください。残りはスタッフが削除できます。

ended-detail = スタッフ用
ended-again = 最初に戻る

leave-back = 戻る
leave-title = この​画面を​離れますか？
leave-ask = アバターは、もうここには表示されません。
leave-ask-making = アバターは完成しますが、ここには表示されません。
leave-ask-failed = このコードは使えなくなります。
leave-stay = 残る
leave-leave = 離れる
leave-delete = 削除して離れる
idle-title = まだ​いらっしゃいますか？
idle-line = 次の方のために、あと { $seconds } 秒で表示を消去します。
idle-line-unsaved = 次の方のために、あと { $seconds } 秒で表示を消去し、アバターを削除します。
idle-stay = ここにいます
idle-leave = 今すぐ消去
idle-spoken = まだいらっしゃいますか？　次の方のために、まもなく表示を消去します。
idle-spoken-unsaved = まだいらっしゃいますか？　まもなく表示を消去し、アバターを削除します。

hint-choose = 決定
hint-back = 戻る
hint-language = 言語

problem-saved = アバターが​できました
    .do = どうぞご覧ください。
problem-saved-in-part = アバターの​一部が​届きませんでした
    .do = 新しいコードでもう一度はじめると、すべて受け取れます。
problem-credentials-refused = この​端末は​まだ​準備中です
    .do = お近くのスタッフにお知らせください。
problem-credentials-missing = この​端末は​まだ​準備中です
    .do = お近くのスタッフにお知らせください。
problem-token-refused = この​コードは​使えませんでした
    .do = 新しいコードで試してみましょう。
problem-token-expired = コードの​期限が​切れました
    .do = 新しいコードはすぐに出せます。
problem-avatar-failed = 今回は​アバターを​作れませんでした
    .do = 顔に均等に光が当たるようにして、もう一度お試しください。
problem-backend-unreachable = 今、​アバタースタジオに​つながりません
    .do = 少しお待ちください。続くようなら、スタッフにお知らせください。
problem-answer-lost = 接続が​途切れました
    .do = もう一度つないでいます。
problem-download-interrupted = ダウンロードが​止まりました
    .do = アバターは失われません。接続が回復しだい届きます。
problem-backend-busy = アバタースタジオが​混み合っています
    .do = 少々お待ちください。
problem-backend-failing = アバタースタジオで​問題が​起きています
    .do = 少しお待ちください。続くようなら、スタッフにお知らせください。
problem-gate = この​ネットワークから​アバタースタジオに​進めません
    .do = お近くのスタッフにお知らせください。
problem-no-api = この​端末は​まだ​準備中です
    .do = お近くのスタッフにお知らせください。
problem-protocol-broken = アバタースタジオから​思いがけない​返事が​届きました
    .do = お近くのスタッフにお知らせください。
problem-possibly-consumed = 大事な​ところで​接続が​切れました
    .do = 新しいコードで、もう一度はじめてください。
problem-timed-out = アバターが​届く​前に​時間切れに​なりました
    .do = 新しいコードで、はじめからやり直せます。
problem-storage-failed = 今、​この​端末に​保存できません
    .do = お近くのスタッフにお知らせください。
problem-disk-full = この​端末の​空き容量が​ありません
    .do = お近くのスタッフにお知らせください。
problem-token-abandoned = コードが​古くなっています
    .do = 新しいコードはすぐに出せます。
problem-forget-incomplete = 削除できない​ものが​ありました
    .do = お近くのスタッフにお知らせください。
problem-interrupted = また​お会いしましょう！
    .do = いつでも、もう一度はじめられます。
problem-configuration = この​端末は​まだ​準備中です
    .do = お近くのスタッフにお知らせください。
problem-window-lost = 画面が​止まってしまいました
    .do = もう一度試すか、お近くのスタッフにお知らせください。
problem-window-refused = うまく​いきませんでした
    .do = もう一度お試しください。
